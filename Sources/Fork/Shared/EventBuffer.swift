internal import DequeModule
internal import Messaging
internal import Reactor

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

/// The events of one consumer, between the loop and the task that takes them.
final class EventBuffer: Sendable {
    enum Outcome {
        /// An event; if it says so, the buffer can take more again.
        case event(ChildProcess.Event, isRelieved: Bool)
        case end
        case cancelled
    }

    private typealias Continuation = CheckedContinuation<Outcome, Never>

    private struct State {
        var buffer = BufferState<ChildProcess.Event, Continuation>()
        var lastID: UInt64 = 0
        /// The consumer has gone.
        var isClosed = false
    }

    private let state = Locked(State())

    // MARK: On the loop

    func push(_ event: ChildProcess.Event) -> EventHub.SinkResult {
        let size = if case .message(let message) = event { message.inbound.cost } else { 0 }
        let action = state.withLock { $0.isClosed ? nil : $0.buffer.push(event, size: size) }
        switch action {
        case .hand(let continuation):
            continuation.resume(returning: .event(event, isRelieved: false))
            return .taken
        case .keep(let isSaturated): return isSaturated ? .saturated : .taken
        case nil: return .gone
        }
    }

    /// No more events will come.
    func finish() {
        for waiter in state.withLock({ $0.buffer.finish() }) { waiter.resume(returning: .end) }
    }

    // MARK: In the consumer's task

    func next() async -> Outcome {
        if Task.isCancelled { return .cancelled }
        if let outcome = Self.outcome(state.withLock { $0.buffer.takeNow() }) { return outcome }
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // A cancellation from now on finds the waiter; an earlier one is seen here.
                let outcome = state.withLock { state in
                    Task.isCancelled ? .cancelled : Self.outcome(state.buffer.next(id, continuation))
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            state.withLock { $0.buffer.cancel(id) }?.resume(returning: .cancelled)
        }
        // A continuation that is resumed before its task waits hands over in a way that ThreadSanitizer does not see.
        return state.withLock { _ in outcome }
    }

    /// Takes no more; returns what nobody has taken.
    func close() -> [ChildProcess.Event] {
        state.withLock { state in
            state.isClosed = true
            return state.buffer.takeAll()
        }
    }

    private static func outcome(
        _ action: BufferState<ChildProcess.Event, Continuation>.NextAction
    ) -> Outcome? {
        switch action {
        case .take(let event?, let isRelieved): .event(event, isRelieved: isRelieved)
        case .take(nil, _): .end
        case .wait: nil
        }
    }
}
