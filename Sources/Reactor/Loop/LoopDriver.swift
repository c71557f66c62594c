/// Who drives a loop: nobody, a background thread, or a caller's thread. Never two at once.
struct LoopDriver {
    private enum State {
        case nobody
        case background
        /// The background thread is asked to leave; the gate opens when the caller may go on.
        case handingOver(Gate)
        case stopping
        /// A background thread goes on afterwards, where one drove before or was asked for meanwhile.
        case caller(isBackgroundWanted: Bool)
    }

    private var state = State.nobody
    /// What those wait for who came while a caller drove.
    private var callersEnd: Gate?

    enum TakeOverAction {
        case start
        case wait(Gate)
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
            let gate = Gate()
            state = .handingOver(gate)
            return .wait(gate)
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

    /// The background thread has done its last turn, or could not be started; whoever says so opens the gate it gets.
    mutating func backgroundLeaves() -> Gate? {
        guard case .handingOver(let gate) = state else {
            state = .nobody
            return nil
        }
        state = .caller(isBackgroundWanted: true)
        return gate
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
    mutating func waitForCaller() -> Gate? {
        switch state {
        case .nobody, .background, .stopping: return nil
        case .handingOver, .caller: break
        }
        let gate = callersEnd ?? Gate()
        callersEnd = gate
        return gate
    }

    /// The gate that opens now that the caller has left; nil where nobody waits for that.
    mutating func takeCallersEnd() -> Gate? {
        defer { callersEnd = nil }
        return callersEnd
    }

    mutating func stop() {
        if case .background = state { state = .stopping }
    }
}
