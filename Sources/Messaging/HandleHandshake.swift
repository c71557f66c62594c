internal import DequeModule

/// What the Node dialect asks of a sender of handles: one is under way at a time, and all that comes after it waits until
/// the peer has said that it has come. Answers to the peer's own handles wait for nothing, or two senders would wait for
/// each other. A value: `OutboundQueue` asks it.
struct HandleHandshake {
    /// How often a message is sent again whose handle the peer has not got.
    private static let retries = 3
    /// The peer has one handle under way at a time, so more answers than this it has not asked for.
    private static let mostAnswers = 16

    private var underWay: OutboundQueue.Chunk?
    private var refusals = 0
    private var answers = Deque<[UInt8]>()

    var isWaiting: Bool { underWay != nil }
    var hasAnswer: Bool { !answers.isEmpty }

    /// The message has been written, at least its first byte, and so its handle.
    mutating func sent(_ chunk: OutboundQueue.Chunk) {
        underWay = chunk
    }

    /// The handle has come. Returns the message that had it; nil where none was under way.
    mutating func acknowledged() -> OutboundQueue.Chunk? {
        defer { underWay = nil }
        refusals = 0
        return underWay
    }

    enum Refusal {
        /// Nothing was under way.
        case none
        case again(OutboundQueue.Chunk)
        case lost(OutboundQueue.Chunk)
    }

    /// The handle has not come with its message.
    mutating func refused() -> Refusal {
        guard let chunk = underWay else { return .none }
        underWay = nil
        refusals += 1
        if refusals <= Self.retries { return .again(chunk) }
        refusals = 0
        return .lost(chunk)
    }

    /// Queues an answer; false where the peer wants too many.
    mutating func answer(_ bytes: [UInt8]) -> Bool {
        if answers.count == Self.mostAnswers { return false }
        answers.append(bytes)
        return true
    }

    mutating func popAnswer() -> OutboundQueue.Chunk? {
        guard let bytes = answers.popFirst() else { return nil }
        // Neither the beginning of a message that anything could hold back, nor counted as one.
        return OutboundQueue.Chunk(
            bytes: bytes, range: 0..<bytes.count, startsMessage: false, content: .part(isLast: false))
    }
}
