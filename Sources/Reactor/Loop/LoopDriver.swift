/// Who drives a loop: nobody, a background thread, or a caller's thread. Never two at once.
struct LoopDriver {
    private enum State {
        case nobody
        case background
        /// The background thread is asked to leave; the latch opens when the caller may go on.
        case handingOver(Latch)
        case stopping
        /// A background thread goes on afterwards, where one drove before or was asked for meanwhile.
        case caller(isBackgroundWanted: Bool)
    }

    private var state = State.nobody
    /// What those wait for who came while a caller drove.
    private var callersEnd: Latch?

    enum TakeOverAction {
        case start
        case wait(Latch)
        /// Another caller's thread drives.
        case refuse
    }

    /// True: the caller starts the background thread now.
    mutating func startBackground() -> Bool {
        switch state {
        case .nobody:
            state = .background
            return true
        case .caller:
            state = .caller(isBackgroundWanted: true)
            return false
        case .background, .handingOver, .stopping: return false
        }
    }

    /// The same where nobody drives at all. A caller who drives runs what is handed over before it leaves.
    mutating func startIfUndriven() -> Bool {
        guard case .nobody = state else { return false }
        state = .background
        return true
    }

    /// True: nobody drove, and the caller does now.
    mutating func takeOverIfUndriven() -> Bool {
        guard case .nobody = state else { return false }
        state = .caller(isBackgroundWanted: false)
        return true
    }

    mutating func takeOver() -> TakeOverAction {
        switch state {
        case .nobody:
            state = .caller(isBackgroundWanted: false)
            return .start
        case .background:
            let latch = Latch()
            state = .handingOver(latch)
            return .wait(latch)
        case .handingOver, .caller, .stopping: return .refuse
        }
    }

    var backgroundStays: Bool {
        if case .background = state { true } else { false }
    }

    /// Nobody refers to the loop any more, and its thread ends.
    var isStopping: Bool {
        if case .stopping = state { true } else { false }
    }

    /// Whether the driver must look at the state before it waits.
    var wantsChange: Bool {
        switch state {
        case .handingOver, .stopping: true
        case .nobody, .background, .caller: false
        }
    }

    /// The background thread has done its last turn, or could not be started. The caller opens the latch that this
    /// returns.
    mutating func backgroundLeaves() -> Latch? {
        guard case .handingOver(let latch) = state else {
            state = .nobody
            return nil
        }
        state = .caller(isBackgroundWanted: true)
        return latch
    }

    /// A caller's thread is done. True: it starts the background thread now, because somebody relies on the loop, or
    /// has handed over something at the last moment.
    mutating func callerLeaves(hasJobs: Bool) -> Bool {
        if case .caller(isBackgroundWanted: true) = state {
            state = .background
        } else {
            state = hasJobs ? .background : .nobody
        }
        return backgroundStays
    }

    /// What opens when the caller has left who drives now, or is about to; nil where no caller is.
    mutating func waitForCaller() -> Latch? {
        switch state {
        case .nobody, .background, .stopping: return nil
        case .handingOver, .caller: break
        }
        let latch = callersEnd ?? Latch()
        callersEnd = latch
        return latch
    }

    /// The latch that opens now that the caller has left; nil where nobody waits for that.
    mutating func takeCallersEnd() -> Latch? {
        defer { callersEnd = nil }
        return callersEnd
    }

    mutating func stop() {
        if case .background = state { state = .stopping }
    }
}
