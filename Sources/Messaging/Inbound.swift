internal import DequeModule
internal import Reactor
internal import SystemPackage
internal import Wire

/// What a channel has read and not yet delivered.
final class Inbound: @unchecked Sendable {
    // Touched by the thread that makes the channel, and after `Channel.start` only on the channel's loop. What every
    // message changes is not checked for exclusive access, which would cost more than the change: `pump` does not nest,
    // and no mutating function of these values calls out.
    private let dialect: Dialect
    @exclusivity(unchecked) var decoder: StreamDecoder
    weak var delegate: (any ChannelDelegate)?
    /// The same while somebody consumes messages and some may still come: whoever has attached a handler need not keep
    /// what it is attached to.
    var keptDelegate: (any ChannelDelegate)?
    /// Read from the socket, but not decoded, because the consumers were saturated or nobody was there.
    var leftover: [UInt8] = []
    var leftoverStart = 0

    var hasConsumer = false
    /// How many consumers are saturated.
    var pauses = 0
    /// The socket may hold something: an edge was reported and no read has come back empty since.
    var isReadable = true
    /// The peer writes no more, so a short read is not the last one.
    var isPeerClosed = false
    /// Nobody will write any more, whatever the socket says: what can't be read at once will never be there.
    var isPeerProcessEnded = false
    /// The end of the stream has been read.
    var isExhausted = false
    /// All has been delivered.
    var isDelivered = false
    /// `pump` is under way; what a delegate does meanwhile is seen by it.
    var isPumping = false
    /// `pump` goes on in the next turn, and only then: with each edge the shares of all later turns would grow by one.
    var isPumpPlanned = false
    /// What came with bytes that have not been decoded yet, or with a message that is not complete.
    @exclusivity(unchecked) var handles = ArrivedHandles<SharedDescriptors>()
    /// Whether this side has said that it takes them; otherwise they are closed as they come.
    let acceptsHandles: Bool
    /// More than this are not kept for a consumer who is still to come: the process needs descriptors for other things.
    private static let keptHandles = 512
    /// What stood before an answer that was waited for, and nobody took yet; the first for the next consumer.
    @exclusivity(unchecked) private(set) var kept = Deque<Kept>()
    private var keptCost = 0
    /// How the peer broke the framing behind those messages, to be told after them.
    var violation: WireError?
    /// Past this an answer has to wait for a consumer, too.
    private static let keptLimit = 256 * 1024
    /// How much has been read.
    @exclusivity(unchecked) private var readCount: UInt64 = 0
    var hasReceived: Bool { readCount > 0 }
    /// The peer has closed its end with something of ours unread.
    var hasPeerLeftUnread = false
    /// How much of that since the process at the other end ended.
    var countSinceEnd = 0

    init(dialect: Dialect, messageLimit: Int, acceptsHandles: Bool) {
        decoder = StreamDecoder(dialect: dialect, messageLimit: messageLimit)
        self.dialect = dialect
        self.acceptsHandles = acceptsHandles
    }

    var canDeliver: Bool { hasConsumer && pauses == 0 && !isDelivered }
    var hasLeftover: Bool { leftoverStart < leftover.count }

    /// Reads the peer's hello, where it is there already, and not a byte more.
    func readHello(from descriptor: CInt) -> Hello? {
        var wanted = FrameHeader.size
        var hello: Hello?
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.size + FrameDecoder.controlLimit, alignment: 8) { buffer in
            var count = 0
            while count < wanted {
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count..<wanted])
                guard let (read, _) = try? receive(from: descriptor, into: rest), read > 0 else { break }
                count += read
                if count == FrameHeader.size {
                    guard let body = FrameDecoder.helloBodyCount(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    else { break }
                    wanted = count + body
                }
            }
            leftover = Array(buffer[..<count])
            if count == wanted { hello = try? takeHello() }
        }
        return hello
    }

    /// Reads what is there, and says how much that was and whether handles came with it: the kernel ends a read with
    /// them, so that there may be more, and no edge to tell of it.
    func receive(
        from descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> (count: Int, hasHandles: Bool) {
        var arrived: (handles: SharedDescriptors, isTruncated: Bool)?
        let takesHandles = acceptsHandles && handles.count < Self.keptHandles
        let count = try System.receive(descriptor, into: buffer, takesHandles: takesHandles) { arrival in
            let isTruncated = arrival.isTruncated
            arrived = (SharedDescriptors(arrival.takeHandles()), isTruncated)
        }
        let range = readCount..<readCount + UInt64(count)
        readCount = range.upperBound
        guard let arrived else { return (count, false) }
        handles.add(arrived.handles, count: arrived.handles.count, isTruncated: arrived.isTruncated, range: range)
        return (count, true)
    }

    private func takeHello() throws -> Hello? {
        try leftover.withUnsafeBytes { bytes in
            var input = bytes
            // Decoded by a copy: a hello that is wrong is found again, and reported, when the channel is read.
            var decoder = decoder
            guard let frame = try decoder.next(from: &input) else { return nil }
            return try frame.withBytes { try Hello(body: $0) }
        }
    }

    /// Whether there is anything in what was kept that somebody could want to hear of: all but a hello.
    var hasUnread: Bool {
        if !kept.isEmpty || violation != nil { return true }
        return leftover.withUnsafeBytes { bytes in
            let kept = UnsafeRawBufferPointer(rebasing: bytes[leftoverStart...])
            if kept.isEmpty { return false }
            if dialect == .node { return true }
            return FrameDecoder.helloBodyCount(kept).map { FrameHeader.size + $0 } != kept.count
        }
    }

    /// Whether messages may be read that nobody takes yet.
    var canKeep: Bool { keptCost < Self.keptLimit && violation == nil && !isDelivered }

    func keep(_ kept: Kept) {
        self.kept.append(kept)
        keptCost += kept.cost
    }

    func popKept() -> Kept? {
        guard let first = kept.popFirst() else { return nil }
        keptCost -= first.cost
        return first
    }

    func keep(_ bytes: UnsafeRawBufferPointer) {
        if !hasLeftover {
            leftover.removeAll()
            leftoverStart = 0
        }
        leftover.append(contentsOf: bytes)
    }
}

/// What has been read for a consumer who is still to come.
enum Kept {
    case message(InboundMessage)
    case failure(ChannelError)

    /// A failure is small, and so may be the line that it was: one who sends nothing else must not fill the memory.
    var cost: Int {
        switch self {
        case .message(let message): 256 + message.cost
        case .failure: 1024
        }
    }
}
