internal import DequeModule
internal import Reactor
internal import Synchronization

extension EventHub {
    enum SinkResult {
        case taken
        /// Taken, and it can take no more messages for now.
        case saturated
        /// Not taken: the listener has gone, and its subscription is about to be cancelled.
        case gone
    }

    /// Hears an event.
    typealias Sink = @Sendable (ChildProcess.Event) -> SinkResult

    struct Entry: Sendable {
        let subscription: Subscription
        let interest: Interest
        let sink: Sink
        /// The first message that it hears; see ``Message/number``.
        var firstMessage: UInt64 = 0
        /// How many of the terminal events it has passed.
        var passedTerminals = 0
        var isSaturated = false
        /// It takes its events later than they are told, and has not seen the last one.
        var lagsBehind = false

        /// It has passed the close event. If it was cancelled while saturated, that has to be undone first.
        private var isFinished: Bool { passedTerminals == 3 && !isSaturated }

        /// Nothing will be told to it any more.
        ///
        /// - Parameter isAwaited: an iteration has not seen the end. It may still leave messages, to those who are
        ///   there then.
        func isOver(isAwaited: Bool) -> Bool {
            isFinished && !(isAwaited && (lagsBehind || interest.contains(.message)))
        }
    }

    enum Change: Sendable {
        case attach(Entry)
        /// A consumer has gone and left these.
        case giveBack([ChildProcess.Event], Subscription)
    }
}

/// What any thread has asked for, until the loop looks.
struct PendingChanges<Change: Sendable>: ~Copyable {
    private let changes = Locked<Deque<Change>>([])
    private let isFilled = Atomic<Bool>(false)

    /// Whether there is anything; cheap enough to be asked for every message.
    var isPending: Bool { isFilled.load(ordering: .acquiring) }

    func add(_ change: Change) {
        changes.withLock { changes in
            changes.append(change)
            isFilled.store(true, ordering: .releasing)
        }
    }

    func popFirst() -> Change? {
        changes.withLock { changes in
            let first = changes.popFirst()
            if changes.isEmpty { isFilled.store(false, ordering: .relaxed) }
            return first
        }
    }
}
