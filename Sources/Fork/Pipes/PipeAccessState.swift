internal import DequeModule

/// Why a pipe is used no more.
enum PipeEnd: Equatable {
    /// This side is done with it.
    case finished
    /// The other end is closed.
    case peerClosed
    case childEnded
}

/// What somebody who wants to use a pipe is told.
enum PipeAccess: Equatable {
    case go
    case refused(PipeEnd)
    case cancelled
}

/// Who may use this program's end of a pipe: one at a time, in the order in which they came. Whoever has the turn makes
/// the system calls, and keeps it while the pipe is empty or full. A value without a descriptor: it says what to do.
struct PipeAccessState<Waiter> {
    private enum Holder {
        case nobody
        /// Somebody is making a system call, or is about to.
        case working
        /// Somebody waits for the pipe to become ready.
        case blocked(id: UInt64, Waiter)
    }

    private var holder = Holder.nobody
    private var queue = Deque<(id: UInt64, waiter: Waiter)>()
    private(set) var end: PipeEnd?
    private var isClosed = false

    /// Nobody uses it, and nobody will.
    var isOver: Bool { isClosed }

    enum EnterAction {
        case go
        case wait
        case refuse(PipeEnd)
    }

    mutating func enter(_ id: UInt64, _ waiter: Waiter) -> EnterAction {
        if let end { return .refuse(end) }
        if case .nobody = holder {
            holder = .working
            return .go
        }
        queue.append((id, waiter))
        return .wait
    }

    enum BlockAction {
        /// The owner asks for the pipe's readiness.
        case wait
        /// The turn is over.
        case refuse(PipeEnd, closes: Bool)
    }

    /// Whoever has the turn found the pipe empty, or full.
    mutating func block(_ id: UInt64, _ waiter: Waiter) -> BlockAction {
        if let end, end != .finished {
            holder = .nobody
            return .refuse(end, closes: closeIfDone())
        }
        holder = .blocked(id: id, waiter)
        return .wait
    }

    /// Who goes on now.
    mutating func becameReady() -> Waiter? {
        guard case .blocked(_, let waiter) = holder else { return nil }
        holder = .working
        return waiter
    }

    struct LeaveAction {
        /// Who has the turn now.
        var next: Waiter?
        var closes = false
    }

    /// The turn is over.
    mutating func leave() -> LeaveAction {
        holder = .nobody
        if let first = queue.popFirst() {
            holder = .working
            return LeaveAction(next: first.waiter)
        }
        return LeaveAction(closes: closeIfDone())
    }

    struct CancelAction {
        /// The waiter, if it still waited.
        var cancelled: Waiter?
        var left = LeaveAction()
    }

    mutating func cancel(_ id: UInt64) -> CancelAction {
        if case .blocked(id, let waiter) = holder { return CancelAction(cancelled: waiter, left: leave()) }
        guard let index = queue.firstIndex(where: { $0.id == id }) else { return CancelAction() }
        return CancelAction(cancelled: queue.remove(at: index).waiter)
    }

    /// Nobody may come any more; those who have come are still served. True if the pipe is closed now.
    mutating func finish() -> Bool {
        if end == nil { end = .finished }
        return closeIfDone()
    }

    struct BreakAction {
        /// Whose turn will never come.
        var refused: [Waiter] = []
        var closes = false
    }

    /// Nothing can be read or written any more. Whoever is making a system call finds that out by itself.
    mutating func breakOff(_ reason: PipeEnd) -> BreakAction {
        guard !isClosed, end == nil || end == .finished else { return BreakAction() }
        end = reason
        var refused: [Waiter] = []
        if case .blocked(_, let waiter) = holder {
            refused.append(waiter)
            holder = .nobody
        }
        refused += queue.map(\.waiter)
        queue.removeAll()
        return BreakAction(refused: refused, closes: closeIfDone())
    }

    /// True once: when the pipe has come to its end and nobody uses it.
    private mutating func closeIfDone() -> Bool {
        guard end != nil, queue.isEmpty, !isClosed, case .nobody = holder else { return false }
        isClosed = true
        return true
    }
}
