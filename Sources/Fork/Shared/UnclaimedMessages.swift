internal import DequeModule

/// Messages that were read and that nobody has taken, because the last consumer had gone. The next one gets them first.
struct UnclaimedMessages {
    private var messages = Deque<Message>()

    var isEmpty: Bool { messages.isEmpty }

    /// See ``Message/number``.
    var firstNumber: UInt64? { messages.first?.number }

    /// Takes in what a consumer leaves, in the order in which it arrived. Several may have left the same messages.
    mutating func insert(_ left: [Message]) {
        if left.isEmpty { return }
        let known = Set(messages.map(\.number))
        let all = messages + left.filter { !known.contains($0.number) }
        messages = Deque(all.sorted { $0.number < $1.number })
    }

    mutating func popFirst() -> Message? { messages.popFirst() }

    /// Takes back what `popFirst` gave, since nobody has taken it.
    mutating func putBack(_ message: Message) { messages.prepend(message) }
}
