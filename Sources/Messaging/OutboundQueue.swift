internal import DequeModule
internal import Reactor
internal import Wire

/// Handles that ride with the first byte of a message; closed when it has been written, or thrown away.
final class OutboundHandles: Sendable {
    let list: DescriptorList

    init(_ list: consuming DescriptorList) {
        self.list = list
    }
}

/// What waits to be written, in order, and who waits for it. A value without a descriptor: its owner writes the batches
/// that it gives out, and tells it what became of them. Only one batch is out at a time, so order holds without a lock
/// around the system call, and whoever sends meanwhile only queues.
struct OutboundQueue {
    /// Bytes to be written, of which `range` is still to go.
    struct Chunk {
        var bytes: [UInt8]
        var range: Range<Int>
        /// Whether the chunk's first byte begins a message; fragments after the first do not.
        var startsMessage: Bool
        /// What rides with its first byte, which then begins a message.
        var handles: OutboundHandles?
        var content = Content.frames

        enum Content: Equatable {
            /// Whole frames, as many as there are.
            case frames
            /// Whole lines of the Node dialect.
            case lines
            /// A part of a message that has several chunks.
            case part(isLast: Bool)
        }

        var count: Int { range.count }

        /// How many messages need what is still to go of it, and nothing after it.
        var messageCount: Int {
            switch content {
            case .frames: FrameEncoder.messageCount(in: bytes, behind: range.lowerBound)
            case .lines: NodeEncoder.messageCount(in: bytes, behind: range.lowerBound)
            case .part(let isLast): isLast ? 1 : 0
            }
        }
    }

    /// What one system call shall write.
    struct Batch {
        var first: Chunk
        var rest: [Chunk] = []

        var count: Int { rest.isEmpty ? first.count : rest.reduce(first.count) { $0 + $1.count } }

        /// Gives the first chunk's memory away, once it has been written.
        mutating func takeFirstBytes() -> [UInt8] {
            var bytes: [UInt8] = []
            swap(&bytes, &first.bytes)
            return bytes
        }
    }

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
    }

    private enum Phase: Equatable {
        case open
        /// Takes no more; ends the stream once it is empty.
        case finishing(Closing)
        case ended(Closing)
    }

    private static let chunksPerBatch = 64
    /// Small messages are put together up to this size.
    private static let joinedSize = 64 * 1024

    let highWaterMark: Int
    let limit: Int
    private var phase = Phase.open
    private var chunks = Deque<Chunk>()
    private var isBatchOut = false
    /// The socket was full; the next batch waits until it is writable.
    private var isBlocked = false
    private var countWhenBlocked = 0
    /// As much has been queued since as a write takes well. The loop, which is told when the socket is writable, may get
    /// no core where many threads send: who sends looks for room, too.
    private var isWorthATry: Bool { queuedCount >= countWhenBlocked + Self.joinedSize }
    private(set) var queuedCount = 0
    private(set) var acceptedPosition: UInt64 = 0
    private var writtenPosition: UInt64 = 0
    private var waiters = Deque<(id: UInt64, position: UInt64)>()
    /// Where handles are acknowledged.
    private var handshake: HandleHandshake?
    private let content: Chunk.Content

    init(highWaterMark: Int, limit: Int, dialect: Dialect = .native) {
        self.highWaterMark = highWaterMark
        self.limit = limit
        content = dialect == .native ? .frames : .lines
        handshake = dialect == .native ? nil : HandleHandshake()
    }

    var closing: Closing? {
        switch phase {
        case .open: nil
        case .finishing(let closing), .ended(let closing): closing
        }
    }

    /// Nothing is queued or being written.
    var isEmpty: Bool { queuedCount == 0 }
    var isBelowHighWaterMark: Bool { queuedCount < highWaterMark }
    /// Whether the descriptor may be in use by a writer.
    var isWriting: Bool { isBatchOut }
    var isEnded: Bool { if case .ended = phase { true } else { false } }

    // MARK: Accepting

    /// Queues a message, all of it or nothing.
    mutating func accept(_ message: consuming [Chunk]) throws(AcceptError) {
        let count = message.reduce(0) { $0 + $1.count }
        try checkRoom(for: count)
        for chunk in message { chunks.append(chunk) }
        queuedCount += count
        acceptedPosition += UInt64(count)
    }

    /// Queues one whole frame, joined to its predecessor where both are small. Returns a buffer that can be used again.
    mutating func accept(frame: [UInt8]) throws(AcceptError) -> [UInt8] {
        let count = frame.count
        try checkRoom(for: count)
        queuedCount += count
        acceptedPosition += UInt64(count)
        let last = chunks.index(before: chunks.endIndex)
        if last >= 0, chunks[last].content == content, chunks[last].startsMessage, chunks[last].handles == nil,
            chunks[last].range.upperBound == chunks[last].bytes.count,
            chunks[last].bytes.count + count <= Self.joinedSize
        {
            chunks[last].bytes.append(contentsOf: frame)
            chunks[last].range = chunks[last].range.lowerBound..<chunks[last].bytes.count
            return frame
        }
        chunks.append(Chunk(bytes: frame, range: 0..<count, startsMessage: true, content: content))
        return []
    }

    private func checkRoom(for count: Int) throws(AcceptError) {
        if let closing { throw .closed(closing) }
        // One message is taken by an empty queue whatever its size: the limit on messages has its own name.
        if queuedCount > 0, queuedCount + count > limit { throw .full(queued: queuedCount) }
    }

    // MARK: Writing

    /// What to write now, or nil where there is nothing, the socket is full, or another batch is out.
    mutating func takeBatch() -> Batch? {
        // An answer may be left where the queue has failed; there is no socket for it.
        guard !isBatchOut, !isBlocked || isWorthATry, !isEnded, let first = takeFirst() else { return nil }
        isBatchOut = true
        var batch = Batch(first: first)
        if first.handles != nil { handshake?.begin(first) }
        if handshake != nil, first.handles != nil || isHeldBack { return batch }
        // The handles of a message ride with the first byte of a batch.
        while batch.rest.count < Self.chunksPerBatch - 1, let next = chunks.first, next.handles == nil {
            batch.rest.append(chunks.removeFirst())
        }
        return batch
    }

    private mutating func takeFirst() -> Chunk? {
        // What has been begun is ended first.
        if let first = chunks.first, !first.startsMessage { return chunks.removeFirst() }
        if let answer = handshake?.popAnswer() { return answer }
        return isHeldBack ? nil : chunks.popFirst()
    }

    /// Whether the next message has to wait for the acknowledgement of the last handle.
    var isHeldBack: Bool { handshake?.isWaiting ?? false }

    private var hasBatch: Bool {
        if let first = chunks.first, !isHeldBack || !first.startsMessage { return true }
        return handshake?.hasAnswer ?? false
    }

    /// A batch has come back, `count` of its bytes written; `isBlocked` where the socket took less than all.
    mutating func wrote(_ count: Int, of batch: Batch, isBlocked: Bool) -> (action: Action, finished: [UInt64]) {
        isBatchOut = false
        if isEnded {
            lostCount += remainder(of: batch, written: count).reduce(0) { $0 + $1.messageCount }
            return (.none, [])
        }
        writtenPosition += UInt64(count)
        queuedCount -= count
        if count == 0, batch.first.handles != nil { handshake?.notBegun() }
        chunks.prepend(contentsOf: remainder(of: batch, written: count))
        self.isBlocked = isBlocked && !becameWritable
        countWhenBlocked = queuedCount
        becameWritable = false
        var finished: [UInt64] = []
        // After an abort bytes are written that nobody waits for, in place of some that were.
        while loss == nil, let waiter = waiters.first, waiter.position <= writtenPosition {
            finished.append(waiters.removeFirst().id)
        }
        return (nextAction(), finished)
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

    private var becameWritable = false

    /// The kernel passes no handle of a kind that the batch begins with: its first message is thrown away, and the
    /// others stay. Returns also the waiters, who are to be told: all of them, since nobody waits for what has been
    /// written.
    mutating func refused(_ batch: Batch) -> (action: Action, failed: [UInt64]) {
        isBatchOut = false
        handshake?.notBegun()
        lostCount += 1
        if isEnded {
            lostCount += batch.rest.drop { !$0.startsMessage }.reduce(0) { $0 + $1.messageCount }
            return (.none, [])
        }
        var count = batch.first.count
        chunks.prepend(contentsOf: batch.rest)
        while let next = chunks.first, !next.startsMessage {
            count += next.count
            chunks.removeFirst()
        }
        writtenPosition += UInt64(count)
        queuedCount -= count
        defer { waiters.removeAll() }
        return (nextAction(), waiters.map(\.id))
    }

    /// What a batch still has to write.
    private func remainder(of batch: Batch, written: Int) -> [Chunk] {
        if written == batch.count { return [] }
        var written = written
        var unwritten: [Chunk] = []
        for var chunk in [batch.first] + batch.rest {
            let part = min(written, chunk.count)
            written -= part
            if part == chunk.count { continue }
            if part > 0 {
                chunk.range = (chunk.range.lowerBound + part)..<chunk.range.upperBound
                chunk.startsMessage = false
                chunk.handles = nil
            }
            unwritten.append(chunk)
        }
        return unwritten
    }

    private mutating func nextAction() -> Action {
        if isBatchOut || isBlocked || isEnded { return .none }
        if hasBatch { return .write }
        if !chunks.isEmpty || isHeldBack { return .none }
        guard case .finishing(let closing) = phase else { return .none }
        phase = .ended(closing)
        return .endStream
    }

    // MARK: Waiting

    enum WaitAction: Equatable {
        case finished
        case wait
        /// What was accepted has been thrown away, or may have been.
        case failed(Closing)
    }

    /// Waits, under an id, until all that has been accepted is written.
    mutating func wait(_ id: UInt64) -> WaitAction {
        let progress = progress
        if progress == .wait { waiters.append((id, acceptedPosition)) }
        return progress
    }

    /// Whether one would have to wait.
    var progress: WaitAction {
        if let loss { return .failed(loss) }
        // More has been written than was accepted where there was an abort.
        return writtenPosition >= acceptedPosition ? .finished : .wait
    }

    /// Forgets a waiter; false where it has been given out already.
    mutating func cancelWait(_ id: UInt64) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// Why the rest of what had been accepted was thrown away, where that has happened.
    private(set) var loss: Closing?
    /// How many messages were thrown away that had been accepted.
    private(set) var lostCount = 0
    /// What was thrown away, until the owner lets it go: the end of its handles takes system calls.
    private var discarded = Deque<Chunk>()

    mutating func takeDiscarded() -> Deque<Chunk> {
        defer { discarded = [] }
        return discarded
    }

    private mutating func discard(_ chunks: some Sequence<Chunk>) {
        for chunk in chunks {
            lostCount += chunk.messageCount
            discarded.append(chunk)
        }
    }

    // MARK: Ending

    /// Takes no more, and ends the stream after what is queued.
    mutating func finish(_ closing: Closing) -> Action {
        guard case .open = phase else { return .none }
        phase = .finishing(closing)
        return nextAction()
    }

    /// Throws away what is queued. Returns the waiters, who are to be told.
    mutating func fail(_ closing: Closing) -> [UInt64] {
        if writtenPosition < acceptedPosition { loss = loss ?? closing }
        // Why it closed first is the better reason.
        phase = .ended(self.closing ?? closing)
        discard(chunks)
        chunks.removeAll()
        if let chunk = handshake?.end() { discarded.append(chunk) }
        queuedCount = 0
        defer { waiters.removeAll() }
        return waiters.map(\.id)
    }

    /// Throws away every message that has not been begun, and says goodbye instead.
    mutating func abort(with frame: [UInt8]) -> Action {
        guard case .open = phase, !isBatchOut else { return .none }
        let kept = chunks.prefix { !$0.startsMessage }
        let keptCount = kept.reduce(0) { $0 + $1.count }
        if keptCount < queuedCount { loss = .protocolViolation }
        discard(chunks.dropFirst(kept.count))
        chunks = Deque(kept + [Chunk(bytes: frame, range: 0..<frame.count, startsMessage: true)])
        queuedCount = keptCount + frame.count
        phase = .finishing(.protocolViolation)
        return nextAction()
    }
}

// MARK: - Handles that are acknowledged

extension OutboundQueue {
    /// Queues an answer to a handle of the peer's, ahead of all messages that have not been begun. Nil where the peer
    /// wants too many of them.
    mutating func answer(_ bytes: [UInt8]) -> Action? {
        if isEnded { return Action.none }
        guard handshake?.answer(bytes) ?? false else { return nil }
        accountForMore(bytes.count)
        return nextAction()
    }

    /// For bytes that go before messages that somebody may wait for.
    private mutating func accountForMore(_ count: Int) {
        queuedCount += count
        acceptedPosition += UInt64(count)
        for index in waiters.indices { waiters[index].position += UInt64(count) }
    }

    /// The peer will acknowledge nothing more; what waits for that goes on without.
    mutating func acknowledgementsEnded() -> Action {
        if let chunk = handshake?.end() { discarded.append(chunk) }
        return nextAction()
    }

    /// The peer has got the handle that was under way.
    mutating func acknowledged() -> Action {
        if let chunk = handshake?.acknowledged() { discarded.append(chunk) }
        return nextAction()
    }

    /// The peer has not got it. Also says whether its message is lost for good.
    mutating func refusedByPeer() -> (action: Action, isLost: Bool) {
        switch handshake?.refused() ?? .none {
        case .none: return (.none, false)
        case .again(let chunk):
            // The peer need not have read it to its end, nor this side have written it.
            chunks.insert(chunk, at: chunks.prefix { !$0.startsMessage }.count)
            accountForMore(chunk.count)
            return (nextAction(), false)
        case .lost(let chunk):
            lostCount += 1
            discarded.append(chunk)
            return (nextAction(), true)
        }
    }
}
