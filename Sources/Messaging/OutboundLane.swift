internal import DequeModule
internal import Wire

/// A message on its way into the queue.
struct OutboundMessage {
    var kind: FrameKind
    /// The header's place, where there is one, and the body.
    var bytes: [UInt8]
    /// Where in the bytes the body begins: behind room for a header, or at 0.
    var bodyStart = FrameHeader.size
    /// META, and OPEN for its last frame.
    var flags: FrameFlags = []
    var handles: OutboundHandles?

    var bodyCount: Int { bytes.count - bodyStart }
    /// What its first frame needs of the queue, and the rest of its body.
    var queuedCount: Int { kind.isControl ? 0 : bodyCount + FrameHeader.size }
    /// Its length as the peer's limit has it: without the description.
    var messageCount: Int {
        if !flags.contains(.meta) { return bodyCount }
        return bodyCount - 2 - (Int(bytes[bodyStart]) << 8 | Int(bytes[bodyStart + 1]))
    }
    var isOneFrame: Bool { bodyCount <= FrameHeader.largestBody }
    var cost: UInt64 { Cost.of(bodyCount: bodyCount, handleCount: handles?.count ?? 0) }

    /// The end of this side's direction of a conversation, in its place behind the messages.
    static let end = OutboundMessage(kind: .end, bytes: [UInt8](repeating: 0, count: FrameHeader.size))
}

/// The messages of one id that are not cut into frames yet, in order, and the credit for them.
struct OutboundLane {
    /// Nil before the conversation has been opened.
    var id: UInt64?
    var credit: SendingCredit
    private var messages = Deque<(message: OutboundMessage, epoch: UInt64)>()
    /// How much of the first message's body has been cut.
    private var cutCount = 0
    /// Whether it stands among those who take turns, or waits to be opened.
    var isQueued = false

    init(id: UInt64?, credit: SendingCredit) {
        self.id = id
        self.credit = credit
    }

    var isEmpty: Bool { messages.isEmpty }
    var first: OutboundMessage? { messages.first?.message }
    /// Whether a part of it has been cut.
    var hasBegunFirst: Bool { cutCount > 0 }
    /// Whether the next frame may be sent: control frames cost nothing.
    var maySend: Bool { first.map { credit.isLeft || $0.kind.isControl } ?? false }

    /// Whether this side's last message is among them.
    var hasLast: Bool { messages.last.map { !$0.message.flags.contains(.open) } ?? false }

    mutating func append(_ message: OutboundMessage, epoch: UInt64) {
        messages.append((message, epoch))
    }

    /// Cuts the next frame, as one chunk or two. The lane has a message, credit and an id.
    mutating func cut(into chunks: inout Deque<Chunk>) -> FrameHeader {
        let epoch = messages[0].epoch
        let kind = messages[0].message.kind
        let bodyStart = messages[0].message.bodyStart
        let count = min(messages[0].message.bodyCount - cutCount, FrameHeader.largestBody)
        let isLast = cutCount + count == messages[0].message.bodyCount
        let handles = cutCount == 0 ? messages[0].message.handles : nil
        let flags = messages[0].message.flags
        let header = FrameHeader(
            kind: kind,
            flags: (isLast ? flags.intersection(.open) : .more).union(cutCount == 0 ? flags.intersection(.meta) : []),
            handleCount: UInt16(handles?.count ?? 0), id: id ?? 0, bodyCount: count)
        let start = bodyStart + cutCount
        cutCount = isLast ? 0 : cutCount + count
        credit.spend(kind.isControl ? 0 : Cost.of(header))
        if !isLast || start != FrameHeader.size {
            chunks.append(Chunk(header.bytes, .header, handles: handles, epoch: epoch, isCut: true))
            chunks.append(
                Chunk(
                    messages[0].message.bytes, .body(isLast: isLast), range: start..<start + count, epoch: epoch,
                    isCut: true))
            if isLast { messages.removeFirst() }
            return header
        }
        // Whole, with room for its header: taken out first, so that the header is written without a copy.
        var message = messages.removeFirst().message
        header.write(to: &message.bytes, at: 0)
        let content: Chunk.Content = kind.isControl ? .control : .frames
        chunks.append(Chunk(message.bytes, content, handles: handles, epoch: epoch, isCut: true))
        return header
    }

    /// A message that is thrown away, and how much of it had not been cut.
    typealias Removed = (message: OutboundMessage, epoch: UInt64, count: Int)

    /// Takes all that has not been cut, to be thrown away.
    mutating func removeAll() -> [Removed] {
        var removed: [Removed] = []
        while !isEmpty { removed.append(removeFirst()) }
        return removed
    }

    /// The same of the first message.
    mutating func removeFirst() -> Removed {
        defer { cutCount = 0 }
        let (message, epoch) = messages.removeFirst()
        return (message, epoch, cutCount > 0 ? message.bodyCount - cutCount : message.queuedCount)
    }

    /// The same of all that are too long for the peer. None of them has been begun.
    mutating func remove(longerThan limit: Int) -> [Removed] {
        let tooLong = messages.filter { $0.message.messageCount > limit }
        messages.removeAll { $0.message.messageCount > limit }
        return tooLong.map { ($0.message, $0.epoch, $0.message.queuedCount) }
    }

    /// The length of one that is too long for the peer.
    func count(longerThan limit: Int) -> Int? {
        messages.first { $0.message.messageCount > limit }?.message.messageCount
    }
}
