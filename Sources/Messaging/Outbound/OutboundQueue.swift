internal import DequeModule
internal import Reactor
internal import Wire

/// What waits to be written, and who waits for it. A value without a descriptor: its owner writes the batches that it
/// gives out, and tells it what became of them. Only one batch is out at a time, so order holds without a lock around
/// the system call, and others who send meanwhile only queue.
///
/// Messages of one id keep their order. Those of different ids take turns, a frame each, where they are cut into
/// frames; what is one small frame of id 0, which most are, is a frame from the beginning. Control frames go before
/// all.
struct OutboundQueue {
    enum AcceptError: Error, Equatable {
        case closed(Closing)
        case full(queued: Int)
    }

    /// What the owner does after a write or another change.
    enum Action: Equatable {
        case none
        /// Take the next batch.
        case write
        /// All is written and nothing more will come: end our direction of the stream.
        case endStream
        /// All is written, the end too; the stream stays open for control frames.
        case ended
        /// The abort is written.
        case close
    }

    enum State: Equatable {
        case open
        /// Takes no more; ends once all is written.
        case finishing(Closing)
        /// The end is queued, behind all data.
        case ending(Closing)
        /// The end is written. Of the peer's direction credit and pings may still have to be answered.
        case ended(Closing)
        /// Nothing but an abort is written any more. Its frame stands here as long as a batch is out.
        case aborting(Closing, frame: [UInt8]?)
        /// Nothing is written any more.
        case failed(Closing)
    }

    enum Lane: Hashable {
        /// Id 0.
        case main
        case conversation(ConversationKey)
    }

    static let chunksPerBatch = 64

    let highWaterMark: Int
    let limit: Int
    var state = State.open
    /// Frames and lines in the order in which they are written, and how many bytes they are.
    var ready = Deque<Chunk>()
    var control = ControlFrames()
    /// Id 0, as far as it is not cut into frames yet.
    var main: OutboundLane
    var lanes: [ConversationKey: OutboundLane] = [:]
    /// The lanes that have a frame to send, each once.
    var turns = Deque<Lane>()
    /// Conversations that have been given up, to be told to the peer behind what has been cut of them.
    var cancelled: [UInt64] = []
    /// Conversations that wait until the peer allows one more, in order.
    var unopened = Deque<ConversationKey>()
    var conversations: Conversations
    var lastOwnKey: UInt64 = 0
    /// What the peer has announced; the floors before its hello.
    var peerLimits: Hello.Limits?
    var progress = WriteProgress()
    var isBatchOut = false
    /// The socket was full; the next batch waits until it is writable.
    private var isBlocked = false
    private var countWhenBlocked = 0
    private var becameWritable = false
    /// Where handles are acknowledged.
    var handshake: HandleHandshake?
    /// Why the rest of what had been accepted was thrown away, where that has happened.
    var loss: Closing?
    /// How many messages were thrown away that had been accepted.
    var lostCount = 0
    /// What was thrown away, until the owner lets it go: the end of its handles takes system calls.
    var discarded = Deque<OutboundHandles>()
    /// Conversations that are over because of what happened to this side's messages, until the owner tells of them.
    var abandoned: [ConversationKey] = []

    init(
        highWaterMark: Int, limit: Int, dialect: Dialect = .native, isMaker: Bool = true, peerIDs: Int = 0
    ) {
        self.highWaterMark = highWaterMark
        self.limit = limit
        conversations = Conversations(isMaker: isMaker, peerLimit: peerIDs)
        let isNative = dialect.isNative
        main = OutboundLane(
            id: 0, credit: SendingCredit(limit: isNative ? Hello.Limits.floor.window : Hello.Limits.endlessWindow))
        handshake = isNative ? nil : HandleHandshake()
    }

    // MARK: State

    /// How many bytes wait to be written.
    var queuedCount: Int { progress.remaining }
    var isEmpty: Bool { queuedCount == 0 && control.isEmpty && ready.isEmpty }
    var isBelowHighWaterMark: Bool { queuedCount < highWaterMark }
    /// Whether the descriptor may be in use by a writer.
    var isWriting: Bool { isBatchOut }
    /// Whether data waits for credit, or for the peer's hello, so that somebody has to read.
    var awaitsPeer: Bool { queuedCount > 0 && ready.isEmpty && turns.isEmpty && !isBatchOut }

    var closing: Closing? {
        switch state {
        case .open: nil
        case .finishing(let closing), .ending(let closing), .ended(let closing), .aborting(let closing, _),
            .failed(let closing):
            closing
        }
    }

    /// Nothing of this side's is to be waited for before the socket is closed.
    var isEnded: Bool {
        switch state {
        case .ended, .failed: true
        case .open, .finishing, .ending, .aborting: false
        }
    }

    /// Whether this side may still say something in a conversation that the peer opens now.
    var mayAnswer: Bool {
        switch state {
        case .open, .finishing: true
        case .ending, .ended, .aborting, .failed: false
        }
    }

    var isFailed: Bool { if case .failed = state { true } else { false } }

    // MARK: Writing

    /// What to write now, or nil where there is nothing, the socket is full, or another batch is out.
    mutating func takeBatch() -> WriteBatch? {
        guard !isBatchOut, !isBlocked || isWorthATry, !isFailed else { return nil }
        fill()
        guard let first = takeFirst() else { return nil }
        isBatchOut = true
        var batch = WriteBatch(first: consume first)
        if handshake != nil {
            let hasHandles = batch.first.handles != nil
            if hasHandles { handshake?.begin(batch.first) }
            if hasHandles || isHeldBack { return batch }
        }
        // The handles of a message ride with the first byte of a batch.
        while batch.rest.count < Self.chunksPerBatch - 1, let next = ready.first, next.handles == nil {
            batch.rest.append(ready.removeFirst())
        }
        return batch
    }

    /// As much has been queued since as a write takes well. The loop, which is told when the socket is writable, may
    /// get no core where many threads send: who sends looks for room, too.
    private var isWorthATry: Bool { queuedCount >= countWhenBlocked + Chunk.joinedSize }

    /// A batch has come back, `count` of its bytes written; `isBlocked` where the socket took less than all.
    mutating func wrote(_ count: Int, of batch: WriteBatch, isBlocked: Bool) -> (action: Action, finished: [UInt64]) {
        isBatchOut = false
        let rest = remainder(of: batch, written: count)
        if isFailed {
            for chunk in rest { lostCount += chunk.messageCount }
            return (.none, [])
        }
        if count == 0, batch.first.handles != nil { handshake?.notBegun() }
        if !rest.isEmpty { ready.prepend(contentsOf: rest) }
        self.isBlocked = isBlocked && !becameWritable
        countWhenBlocked = queuedCount
        becameWritable = false
        if case .aborting(let closing, let frame?) = state { keepOnlyAbort(frame, closing) }
        return (nextAction(), progress.takeFinishedWaiters())
    }

    /// The socket takes bytes again.
    mutating func socketBecameWritable() -> Action {
        // The event can overtake the writer that asked for it.
        if isBatchOut {
            becameWritable = true
            return .none
        }
        isBlocked = false
        return nextAction()
    }

    /// The kernel passes no handle of a kind that the batch begins with: its first message is thrown away, and the
    /// others stay. Returns also the waiters, who are to be told: all of them, since nobody waits for what has been
    /// written.
    mutating func refused(_ batch: WriteBatch) -> (action: Action, failed: [UInt64]) {
        isBatchOut = false
        handshake?.notBegun()
        if isFailed {
            for chunk in [batch.first] + batch.rest { lostCount += chunk.messageCount }
            return (.none, [])
        }
        lostCount += 1
        progress.finished(batch.first.count, epoch: batch.first.epoch)
        ready.prepend(contentsOf: batch.rest)
        discardRest(of: batch.first)
        return (nextAction(), progress.takeWaiters())
    }

    /// What a batch still has to write; what it has written is counted.
    private mutating func remainder(of batch: WriteBatch, written: Int) -> [Chunk] {
        if batch.rest.isEmpty, written == batch.first.count {
            wrote(batch.first)
            return []
        }
        var written = written
        var unwritten: [Chunk] = []
        for var chunk in [batch.first] + batch.rest {
            let part = min(written, chunk.count)
            written -= part
            if part == chunk.count {
                wrote(chunk)
                continue
            }
            if part > 0 {
                count(part, of: chunk)
                chunk.range = (chunk.range.lowerBound + part)..<chunk.range.upperBound
                chunk.handles = nil
            }
            unwritten.append(chunk)
        }
        return unwritten
    }

    private mutating func count(_ written: Int, of chunk: Chunk) {
        // Where the queue has failed there is nothing left to count.
        if chunk.isCounted, !isFailed { progress.finished(written, epoch: chunk.epoch) }
    }

    mutating func nextAction() -> Action {
        if isBatchOut || isBlocked || isFailed { return .none }
        // Whatever has ended a conversation of the peer's.
        allowMore()
        if hasBatch { return .write }
        switch state {
        case .aborting(let closing, _):
            state = .failed(closing)
            return .close
        case .ended:
            return .ended
        case .finishing(let closing) where queuedCount == 0 && !isHeldBack:
            if handshake != nil {
                state = .ended(closing)
                return .endStream
            }
            guard conversations.owesNothing else { return .none }
            state = .ending(closing)
            ready.append(Chunk(FrameEncoder.control(.end), .end))
            return .write
        case .open, .finishing, .ending, .failed:
            return .none
        }
    }

    private mutating func wrote(_ chunk: Chunk) {
        count(chunk.count, of: chunk)
        if chunk.content == .end, case .ending(let closing) = state { state = .ended(closing) }
    }
}
