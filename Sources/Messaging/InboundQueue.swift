internal import JSONCodec
internal import Reactor
internal import Wire

/// What has been read from the socket, and what is to be done about it. A value without a descriptor: its owner gives it
/// bytes, asks for the next step, takes it, and asks again.
///
/// In the native dialect it reads on whether or not anybody takes messages, since control frames may stand behind them;
/// what nobody takes is kept in the backlog, which the peer's credit bounds. In the Node dialect, which has no credit,
/// the kernel keeps it.
struct InboundQueue {
    enum Step {
        /// Read from the socket, and say what came of it.
        case read
        /// A plain message for the consumers.
        case deliver(InboundMessage)
        indirect case fail(ChannelError)
        /// What becomes of a frame with an id; to be answered by `found`.
        case lookUp(FrameHeader)
        indirect case conversation(ConversationKey, ConversationEvent)
        /// A conversation of the peer's is over that nobody has heard of, because its first message never was whole.
        case release(ConversationKey)
        indirect case hello(Hello)
        /// The peer lets this side send and open more.
        case credit(id: UInt64, limit: UInt64, highestID: UInt64)
        /// The peer lets this side open more, and says so of an id that has ended.
        case allowed(highestID: UInt64)
        /// Let the peer send more.
        case grant(id: UInt64, limit: UInt64)
        /// Answer a ping.
        case ping(UInt64)
        case pong(UInt64)
        /// Of the Node dialect.
        case answer([UInt8])
        case acknowledged
        case refused
        /// The peer says no more, or nothing more of it is read.
        case peerEnded
        /// The peer broke the protocol: tell it why the channel ends here.
        indirect case abort(WireError)
        /// The peer has given the channel up, or its stream has ended: nothing that is written is read.
        case peerGone(Closing)
        /// All that the peer said has been read. Somebody may still be about to come for what is unread, or for the
        /// error that was told.
        case exhausted(hasUnread: Bool)
        /// All that the peer said has been delivered.
        case delivered
        /// The turn has done its share.
        case yield
        /// Nothing is to be done for now.
        case wait
    }

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
    private(set) var hasPeerLeftUnread = false
    var handles = ReceivedHandles<SharedDescriptors>()

    // MARK: What was read

    /// Lent by the owner until it is used up.
    var input = UnsafeRawBufferPointer(start: nil, count: 0)
    /// What was lent, and had to be given back before it was used up.
    private var held: [UInt8] = []
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
    var backlog = Backlog()
    /// Memory of a message before, to gather the next in: fresh memory of such a size costs more than what is written
    /// to it. Lent by the owner.
    var spare: [UInt8] = []

    // MARK: The end

    private enum End {
        case none
        /// Nothing more comes but, in the native dialect, control frames. The error is to be told after all messages.
        case data(ChannelError?)
        /// That has been told, too.
        case delivered
    }

    private var end = End.none
    private var isExhaustedTold = false
    /// An error has been told at the end.
    private var hasFailed = false
    /// Nothing more is read at all.
    private(set) var isStreamEnded = false
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
    var takesHandles: Bool { acceptsHandles && handles.count + backlog.handleCount < Self.keptHandles }

    // MARK: What the owner tells

    mutating func beginTurn() {
        readsInTurn = 0
    }

    /// Bytes that have been read; they stay where they are until `settle`, or until they are used up.
    mutating func received(_ bytes: UnsafeRawBufferPointer, arrived: ArrivedHandles?, filledBuffer: Bool) {
        let range = readCount..<readCount + UInt64(bytes.count)
        readCount = range.upperBound
        if let arrived {
            let list = arrived.handles
            handles.add(list, count: list.count, isTruncated: arrived.isTruncated, range: range)
        }
        if isPeerProcessEnded { countAfterPeerProcess += bytes.count }
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

    /// The end of the stream has been read, or nothing more can be.
    ///
    /// - Parameters:
    ///   - error: why nothing more can be read, where that is not the peer's doing.
    ///   - leftUnread: the peer closed its end with something of ours unread.
    mutating func streamEnded(_ error: ChannelError? = nil, leftUnread: Bool = false) {
        if isStreamEnded { return }
        isStreamEnded = true
        isReadable = false
        hasPeerLeftUnread = hasPeerLeftUnread || leftUnread
        // A direction of Node's ends by itself. The end of frames is a frame, and without it the peer is gone.
        if dialect.isNative || error != nil { due.append(.peerGone(.byPeer)) }
        endData(error ?? (hasBegun ? violation(.truncated) : nil))
    }

    /// Whether a message, or a frame, has come in part.
    private var hasBegun: Bool {
        if isExhausted { return false }
        if !dialect.isNative { return lines.openPosition != nil }
        return frames.openPosition != nil || frame != nil || main.begun != nil
            || lanes.contains { $0.value.begun != nil }
    }

    /// The socket is about to be closed: all that matters has been read.
    mutating func stopReading() {
        isStreamEnded = true
        isReadable = false
    }

    /// Ends it before anything was read.
    mutating func discard() {
        isStreamEnded = true
        end = .delivered
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

    // MARK: The end

    /// Nothing that comes after a broken frame can be trusted.
    mutating func violated(_ error: WireError) -> Step {
        isStreamEnded = true
        isReadable = false
        endData(violation(error))
        return .abort(error)
    }

    /// A peer that does not speak the protocol at all is told as that.
    private func violation(_ error: WireError) -> ChannelError {
        let opening = dialect.isNative ? frames.foreignOpening : nil
        return opening.map { .notSpoken(opening: $0, error) } ?? .protocolViolation(error)
    }

    /// The peer has given up.
    mutating func aborted(_ abort: Abort) {
        isStreamEnded = true
        isReadable = false
        due.append(.peerGone(.protocolViolation))
        endData(.aborted(abort))
    }

    /// The peer says no more.
    mutating func endData(_ error: ChannelError?) {
        if isStreamEnded {
            input = UnsafeRawBufferPointer(start: nil, count: 0)
            held = []
            _ = handles.removeAll()
        }
        switch end {
        case .none:
            end = .data(error)
        case .data(let earlier):
            // What goes wrong after the end of the data is told, too.
            end = .data(earlier ?? error)
            return
        case .delivered:
            if let error { due.append(.fail(error)) }
            return
        }
        main.begun = nil
        main.hasEnded = true
        lanes.removeAll()
        due.append(.peerEnded)
    }

    private mutating func endStep() -> Step? {
        guard case .data(let error) = end else { return nil }
        // In their order: what is kept for a consumer goes before.
        let isNext = backlog.isEmpty && (canDeliver || !hasConsumer)
        if isNext, let error {
            end = .data(nil)
            hasFailed = true
            return .fail(error)
        }
        if !isExhaustedTold {
            isExhaustedTold = true
            return .exhausted(hasUnread: hasUnread || hasFailed)
        }
        guard backlog.isEmpty, canDeliver else { return nil }
        end = .delivered
        return .delivered
    }
}

/// Handles that came with the bytes of a read; some of them may have been lost.
struct ArrivedHandles {
    let handles: SharedDescriptors
    let isTruncated: Bool
}
