internal import DequeModule
internal import Reactor
internal import Synchronization

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
