internal import DequeModule

/// Elements between the loop that brings them and the task that takes them. A value without a task: it says what to do.
struct EventBufferState<Element, Waiter> {
    private static var countLimit: Int { 64 }
    private static var sizeLimit: Int { 256 * 1024 }

    private var elements = Deque<(element: Element, size: Int)>()
    private var size = 0
    private var waiters = Deque<(id: UInt64, waiter: Waiter)>()
    private var isSaturated = false
    private var isFinished = false

    enum PushAction {
        case hand(to: Waiter)
        /// Kept. If `isSaturated`, the buffer has had enough.
        case keep(isSaturated: Bool)
    }

    mutating func push(_ element: Element, size elementSize: Int) -> PushAction {
        if let first = waiters.popFirst() { return .hand(to: first.waiter) }
        elements.append((element, elementSize))
        size += elementSize
        isSaturated = isSaturated || elements.count >= Self.countLimit || size >= Self.sizeLimit
        return .keep(isSaturated: isSaturated)
    }

    enum NextAction {
        /// An element, or the end. If `isRelieved`, the buffer can take more again.
        case take(Element?, isRelieved: Bool)
        case wait
    }

    mutating func next(_ id: UInt64, _ waiter: Waiter) -> NextAction {
        let action = takeNow()
        if case .wait = action { waiters.append((id, waiter)) }
        return action
    }

    /// What there is now. `wait` says that there is nothing; nobody has begun to wait.
    mutating func takeNow() -> NextAction {
        if let first = elements.popFirst() {
            size -= first.size
            // Refilled in portions: a wake-up for each element would cost more than the element.
            let isRelieved =
                isSaturated && elements.count <= Self.countLimit / 4 && size <= Self.sizeLimit / 4
            if isRelieved { isSaturated = false }
            return .take(first.element, isRelieved: isRelieved)
        }
        return isFinished ? .take(nil, isRelieved: false) : .wait
    }

    /// The waiter, if it still waits.
    mutating func cancel(_ id: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    /// All that nobody has taken, for somebody else.
    mutating func takeAll() -> [Element] {
        defer {
            elements.removeAll()
            size = 0
        }
        return elements.map(\.element)
    }

    /// No more elements will come; returns those that wait for one.
    mutating func finish() -> [Waiter] {
        isFinished = true
        defer { waiters.removeAll() }
        return waiters.map(\.waiter)
    }
}
