internal import JSONCodec
internal import Reactor
internal import Wire

/// What has been read from the socket, and what is to be done about it. A value without a descriptor: its owner gives
/// it bytes, asks for the next step, takes it, and asks again.
///
/// In the native dialect it reads on whether or not anybody takes messages, since control frames may stand behind them;
/// what nobody takes is kept in the backlog, which the peer's credit bounds. In the Node dialect, which has no credit,
/// the kernel keeps it.
struct InboundQueue {
    /// A turn reads at most this often from one channel, so that a peer that floods does not keep the others waiting.
    private static let readsPerTurn = 8
    /// More than this is not kept of lines that stand before an answer that is waited for.
    private static let backlogBeforeAnswer = 256 * 1024
    /// What is read after the peer's process has ended, if nobody takes it. More than any socket buffer holds; another
    /// process that shares its end could go on for ever.
    private static let readAfterPeerProcess = 16 << 20
    /// More handles than this are not kept of messages that are not read yet.
    private static let keptHandles = 512
    /// For how many messages handles are kept then.
    private static let batchesAfterPeerProcess = 1024

    let dialect: Dialect
    /// Whether this side has said that it takes handles; otherwise they are closed as they come.
    let acceptsHandles: Bool
    let messageLimit: Int

    // MARK: The consumers

    var hasConsumer = false
    /// How many consumers are saturated.
    var pauses = 0
    /// Nothing is delivered for now: somebody reads from within a handler, for the sake of control frames.
    var isMuted = false
    /// The Node dialect: an answer is waited for, which may stand behind messages that nobody takes.
    var awaitsAnswer = false

    // MARK: The socket

    /// The socket may hold something: an edge was reported and no read has come back empty since.
    var isReadable = true
    /// The peer writes no more, so a short read is not the last one.
    var isPeerClosed = false
    /// Nobody will write any more, whatever the socket says: what can't be read at once will never be there.
    private(set) var isPeerProcessEnded = false
    /// How much has been read.
    private(set) var readCount: UInt64 = 0
    private var countAfterPeerProcess = 0
    private var readsInTurn = 0
    /// The peer has closed its end with something of ours unread.
    var hasPeerLeftUnread = false
    var handles = ReceivedHandles<SharedDescriptors>()
    /// How many handles the messages have that are being gathered.
    var begunHandleCount = 0

    // MARK: What was read

    /// Lent by the owner until it is used up.
    var input = UnsafeRawBufferPointer(start: nil, count: 0)
    /// What was lent, and had to be given back before it was used up.
    var held: [UInt8] = []
    var frames = FrameReader()
    var lines: LineDecoder
    /// The frame whose body comes next.
    var frame: FrameInProgress?
    var controlBody: [UInt8] = []
    var main: InboundLane
    var lanes: [UInt64: InboundLane] = [:]
    /// The lanes whose credit may have to be told.
    var touched: Set<UInt64> = []
    /// Those whose begun messages wait for others to be finished.
    var stalled: Set<UInt64> = []
    let announcedWindow: Int
    /// From here on a message is so long that its bytes are better read to where they belong than copied there.
    var directSize = 256 * 1024
    var backlog = Backlog()
    /// Memory of a message before, to gather the next in: fresh memory of such a size costs more than what is written
    /// to it. Lent by the owner.
    var spare: [UInt8] = []

    // MARK: The end

    enum End {
        case none
        /// Nothing more comes but, in the native dialect, control frames. The error is to be told after all messages.
        case data(ChannelError?)
        /// That has been told, too.
        case delivered
    }

    var end = End.none
    var isExhaustedTold = false
    /// An error has been told at the end.
    var hasFailed = false
    /// Nothing more is read at all.
    var isStreamEnded = false
    /// Steps that are due before anything else.
    var due: [Step] = []

    init(dialect: Dialect, limits: ChannelLimits) {
        self.dialect = dialect
        messageLimit = limits.messageLimit
        acceptsHandles = limits.acceptsHandles
        lines = LineDecoder(messageLimit: limits.messageLimit)
        announcedWindow = limits.window
        main = InboundLane(announced: limits.window, window: limits.mainWindow)
    }

    // MARK: Questions

    var isDelivered: Bool { if case .delivered = end { true } else { false } }
    /// Nothing but control frames comes any more.
    var isExhausted: Bool { if case .none = end { false } else { true } }
    var canDeliver: Bool { hasConsumer && pauses == 0 && !isMuted && !isDelivered }
    var hasReceived: Bool { readCount > 0 }
    /// Whether there are messages that nobody has taken.
    var hasUnread: Bool { !backlog.isEmpty }
    var hasInput: Bool { !input.isEmpty || !held.isEmpty }

    /// Whether there is something to decode: a frame without a body is whole when it has been looked up, though nothing
    /// follows it.
    private var canDecode: Bool { hasInput || frame != nil && frames.missing == 0 }

    private var wantsToRead: Bool {
        if isStreamEnded { return false }
        if dialect.isNative { return true }
        if canDeliver, backlog.isEmpty { return true }
        if awaitsAnswer, backlog.size < Self.backlogBeforeAnswer { return true }
        return (isPeerClosed || isPeerProcessEnded) && !hasConsumer
    }

    /// Whether the next read shall take handles. The process needs descriptors for other things than messages that
    /// nobody takes.
    var takesHandles: Bool {
        acceptsHandles && handles.count + begunHandleCount + backlog.handleCount < Self.keptHandles
    }

    // MARK: What the owner tells

    mutating func beginTurn() {
        readsInTurn = 0
    }

    /// Bytes that have been read; they stay where they are until `settle`, or until they are used up.
    ///
    /// - Parameter direct: how many have been read before them, to where a message is gathered.
    mutating func received(
        _ bytes: UnsafeRawBufferPointer, direct: Int = 0, arrived: ArrivedHandles?, filledBuffer: Bool
    ) {
        let range = readCount..<readCount + UInt64(direct + bytes.count)
        readCount = range.upperBound
        if let arrived {
            let list = arrived.handles
            handles.add(list, count: list.count, isTruncated: arrived.isTruncated, range: range)
        }
        if isPeerProcessEnded { countAfterPeerProcess += direct + bytes.count }
        // A short read has emptied the socket, unless handles ended it, and an edge tells of what comes after it; but
        // the edge of the peer's end may have been told already.
        isReadable = filledBuffer || arrived != nil || isPeerClosed || isPeerProcessEnded
        if held.isEmpty { input = bytes } else { held += bytes }
    }

    /// The bytes that were lent are needed for something else.
    mutating func settle() {
        if !input.isEmpty { held = Array(input) }
        input = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// There was nothing to read.
    mutating func socketIsEmpty() {
        isReadable = false
        if isPeerProcessEnded { streamEnded() }
    }

    mutating func peerProcessEnded() {
        isPeerProcessEnded = true
        isReadable = true
    }

    /// Whether enough has been read of a peer that has ended.
    var hasReadEnough: Bool {
        countAfterPeerProcess > Self.readAfterPeerProcess || handles.batchCount > Self.batchesAfterPeerProcess
    }

    // MARK: Steps

    mutating func next() -> Step {
        if !due.isEmpty { return due.removeFirst() }
        if !backlog.isEmpty, canDeliver, let step = deliverBacklog() { return step }
        do throws(WireError) {
            if canDecode, let step = try decodeInput() { return step }
            if handles.batchCount > 0 { try checkStrayHandles() }
        } catch {
            return violated(error)
        }
        if !due.isEmpty { return due.removeFirst() }
        if let step = endStep() { return step }
        if let step = grantStep() { return step }
        guard wantsToRead, isReadable else { return .wait }
        if readsInTurn == Self.readsPerTurn { return .yield }
        readsInTurn += 1
        return .read
    }

    private mutating func decodeInput() throws(WireError) -> Step? {
        if held.isEmpty {
            var rest = input
            let step = try decode(&rest)
            input = isStreamEnded ? UnsafeRawBufferPointer(start: nil, count: 0) : rest
            return step
        }
        var bytes: [UInt8] = []
        swap(&bytes, &held)
        let (step, rest) = try MessageBody.owned(bytes).withBytes { buffer throws(WireError) -> (Step?, Int) in
            var input = buffer
            let step = try decode(&input)
            return (step, input.count)
        }
        if rest > 0, !isStreamEnded {
            bytes.removeFirst(bytes.count - rest)
            held = bytes
        }
        return step
    }

    /// Handles belong to a message; those that came with anything else do not match.
    private func checkStrayHandles() throws(WireError) {
        let position = dialect.isNative ? frames.position : lines.position
        let open = dialect.isNative ? frames.openHeaderPosition : lines.openPosition
        if let stray = handles.stray(before: position, open: open) {
            throw .handlesDoNotMatch(announced: 0, received: stray)
        }
    }

    private mutating func deliverBacklog() -> Step? {
        var spare: [UInt8] = []
        swap(&spare, &self.spare)
        defer { swap(&spare, &self.spare) }
        let step = backlog.popFirst { entry, body -> (Step, UInt64) in
            (Self.step(for: entry, body, &spare), entry.cost)
        }
        guard let step else { return nil }
        main.credit.take(step.1)
        return step.0
    }

    private static func step(
        for entry: Backlog.Entry, _ body: consuming MessageBody, _ spare: inout [UInt8]
    ) -> Step {
        switch entry.content {
        case .failure(let error): return .fail(error)
        case .document(let document, let count):
            return .deliver(InboundMessage(document, handles: entry.handles, byteCount: count))
        case .small, .large:
            do throws(JSONError) {
                return .deliver(try InboundMessage(entry.kind, body, entry.description, entry.handles, spare: &spare))
            } catch {
                return .fail(.badPayload(error))
            }
        }
    }
}
