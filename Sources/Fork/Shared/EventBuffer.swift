internal import DequeModule
internal import Reactor
internal import Synchronization

/// Elements between the loop that brings them and the task that takes them. A value without a task: it says what to do.
struct BufferState<Element, Waiter> {
    private static var countLimit: Int { 64 }
    private static var sizeLimit: Int { 256 * 1024 }

    private var elements = Deque<(element: Element, size: Int)>()
    private var size = 0
    private var waiters = Deque<(id: UInt64, waiter: Waiter)>()
    private var isSaturated = false
    private var isFinished = false

    enum PushAction {
        case hand(to: Waiter)
        /// Kept; where it says so, the buffer has had enough.
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
        /// An element, or the end; where it says so, the buffer can take more again.
        case take(Element?, isRelieved: Bool)
        case wait
    }

    mutating func next(_ id: UInt64, _ waiter: Waiter) -> NextAction {
        let action = takeNow()
        if case .wait = action { waiters.append((id, waiter)) }
        return action
    }

    /// What there is now; where it says `wait`, nobody has begun to.
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

    /// The waiter, where it still waits.
    mutating func cancel(_ id: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    /// No more elements will come; those that wait for one wait in vain.
    mutating func finish() -> [Waiter] {
        isFinished = true
        defer { waiters.removeAll() }
        return waiters.map(\.waiter)
    }
}

/// The subscription of one iterator.
final class EventBuffer<Element: Sendable>: Sendable {
    private typealias Continuation = CheckedContinuation<Element?, Never>

    private let state = Locked(BufferState<Element, Continuation>())
    private let subscription: Locked<Subscription?> = Locked(nil)
    private let lastID = Atomic<UInt64>(0)
    private let source: any EventSource

    /// Begins to listen. `read` makes the element of an event, if it is one that is wanted, and says how large it is.
    init(
        _ source: any EventSource, _ interest: EventHub.Interest, until end: EventHub.Interest,
        read: @escaping @Sendable (ChildProcess.Event) -> (Element, size: Int)?
    ) {
        self.source = source
        let subscription = source.hub.subscribe(interest.union(end), lagsBehind: true) { [weak self] event in
            guard let self else { return false }
            var isSaturated = false
            if let (element, size) = read(event) { isSaturated = push(element, size) }
            if event.interest == end { finish() }
            return isSaturated
        }
        self.subscription.withLock { $0 = subscription }
        source.ensureDriven()
    }

    deinit {
        subscription.withLock { $0?.cancel() }
    }

    func next() async -> Element? {
        if !Task.isCancelled, case .take(let element, let isRelieved) = state.withLock({ $0.takeNow() }) {
            took(element, isRelieved: isRelieved)
            return element
        }
        let id = lastID.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let action = state.withLock { state -> BufferState<Element, Continuation>.NextAction in
                    Task.isCancelled ? .take(nil, isRelieved: false) : state.next(id, continuation)
                }
                guard case .take(let element, let isRelieved) = action else { return }
                took(element, isRelieved: isRelieved)
                continuation.resume(returning: element)
            }
        } onCancel: {
            state.withLock { $0.cancel(id) }?.resume(returning: nil)
        }
    }

    private func took(_ element: Element?, isRelieved: Bool) {
        if isRelieved, let subscription = subscription.withLock({ $0 }) { source.hub.resume(subscription) }
        if element == nil { sawEnd() }
    }

    private func push(_ element: Element, _ size: Int) -> Bool {
        switch state.withLock({ $0.push(element, size: size) }) {
        case .hand(let continuation):
            continuation.resume(returning: element)
            return false
        case .keep(let isSaturated):
            return isSaturated
        }
    }

    private func finish() {
        let waiters = state.withLock { $0.finish() }
        if !waiters.isEmpty { sawEnd() }
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    private func sawEnd() {
        if let subscription = subscription.withLock({ $0 }) { source.hub.caughtUp(subscription) }
    }
}

/// Where events come from; kept alive by whoever iterates over them.
protocol EventSource: AnyObject, Sendable {
    var hub: EventHub { get }
    /// Makes sure that some thread drives the loop.
    func ensureDriven()
    /// A consumer has seen the end. On the loop.
    func consumersProgressed()
}
