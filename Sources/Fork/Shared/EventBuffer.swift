internal import Messaging
internal import Reactor

/// The events of one consumer, between the loop and the task that takes them.
final class EventBuffer: Sendable {
    enum Outcome {
        /// An event. If `isRelieved`, the buffer can take more again.
        case event(Event, isRelieved: Bool)
        case end
        case cancelled
    }

    private typealias Continuation = CheckedContinuation<Outcome, Never>

    private struct State {
        var buffer = EventBufferState<Event, Continuation>()
        var lastID: UInt64 = 0
        /// The consumer has gone.
        var isClosed = false
    }

    private let state = Locked(State())

    // MARK: On the loop

    func push(_ event: Event) -> EventSinkResult {
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
    func close() -> [Event] {
        state.withLock { state in
            state.isClosed = true
            return state.buffer.takeAll()
        }
    }

    private static func outcome(_ action: EventBufferState<Event, Continuation>.NextAction) -> Outcome? {
        switch action {
        case .take(let event?, let isRelieved): .event(event, isRelieved: isRelieved)
        case .take(nil, _): .end
        case .wait: nil
        }
    }
}
