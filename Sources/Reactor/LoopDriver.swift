/// Who drives a loop: nobody, a background thread, or a caller's thread. Never two at once.
struct LoopDriver {
    private enum State {
        case nobody
        case background
        /// The background thread is asked to leave; the gate opens when the caller may go on.
        case handingOver(Gate)
        case stopping
        case caller
    }

    private var state = State.nobody

    enum TakeOverAction {
        case start
        case wait(Gate)
        /// Another caller's thread drives.
        case refuse
    }

    /// True: the caller starts the background thread now.
    mutating func startBackground() -> Bool {
        guard case .nobody = state else { return false }
        state = .background
        return true
    }

    mutating func takeOver() -> TakeOverAction {
        switch state {
        case .nobody:
            state = .caller
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

    /// Whether the driver must look at the state before it waits.
    var wantsChange: Bool {
        switch state {
        case .handingOver, .stopping: true
        case .nobody, .background, .caller: false
        }
    }

    /// The background thread has done its last turn; it opens the gate that it gets.
    mutating func backgroundLeaves() -> Gate? {
        guard case .handingOver(let gate) = state else {
            state = .nobody
            return nil
        }
        state = .caller
        return gate
    }

    /// A caller's thread is done, or the background thread could not be started.
    mutating func abandon() {
        state = .nobody
    }

    mutating func stop() {
        if case .background = state { state = .stopping }
    }
}
