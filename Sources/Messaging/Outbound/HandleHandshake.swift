internal import DequeModule

/// What the Node dialect asks of a sender of handles: one is under way at a time, and all that comes after it waits
/// until the peer has said that it has come. Answers to the peer's own handles wait for nothing, or two senders would
/// wait for each other. A value: `OutboundQueue` asks it.
struct HandleHandshake {
    /// How often a message is sent again whose handle the peer has not got.
    private static let retries = 3
    /// The peer has one handle under way at a time, so more answers than this it has not asked for.
    private static let mostAnswers = 16

    private var underWay: Chunk?
    /// Nobody will acknowledge anything any more, so nothing is waited for.
    private var isOver = false
    private var refusals = 0
    private var answers = Deque<[UInt8]>()

    var isWaiting: Bool { underWay != nil }
    var hasAnswer: Bool { !answers.isEmpty }

    /// The message is about to be written. Not only once it has been: the peer's answer can overtake the writer.
    mutating func begin(_ chunk: Chunk) {
        if !isOver { underWay = chunk }
    }

    /// The socket has not taken a byte of the message, and so not its handle.
    mutating func notBegun() {
        underWay = nil
    }

    /// No answer will come any more. Returns the message that waited for one.
    mutating func end() -> Chunk? {
        isOver = true
        return acknowledged()
    }

    /// The handle has come. Returns the message that had it; nil where none was under way.
    mutating func acknowledged() -> Chunk? {
        defer { underWay = nil }
        refusals = 0
        return underWay
    }

    enum Refusal {
        /// Nothing was under way.
        case none
        case again(Chunk)
        case lost(Chunk)
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

    mutating func popAnswer() -> Chunk? {
        guard let bytes = answers.popFirst() else { return nil }
        // No message, so nothing holds it back, and nobody counts it or waits for it.
        return Chunk(bytes, .control)
    }
}
