package import SystemPackage

/// A child process of this program: signals it, hears of its end, and reaps it. Safe to use from any thread.
///
/// The end is told once: to the handler of `watch` or to the caller of `reap`, whichever comes first. From then on the
/// process's number may be another's, and every signal is an error.
package final class ProcessHandle: Sendable {
    package let pid: Int32
    private let state: Locked<State>

    private struct State: ~Copyable {
        /// Until the end has been told and the watch is over.
        var process: SystemProcessReference?
        var watch: Watch?
        var isEndTold = false

        init(_ process: consuming SystemProcessReference) {
            self.process = consume process
        }
    }

    private struct Watch {
        let loop: MessageLoop
        let watch: MessageLoop.Watch
    }

    private enum Settlement {
        case running
        /// To be told by whoever gets this.
        case ended(EndedProcess)
        case toldBefore
    }

    init(pid: Int32, _ process: consuming SystemProcessReference) {
        self.pid = pid
        state = Locked(State(process))
    }

    // MARK: Signals

    /// Sends a signal to the process. The signal 0 is sent to nobody, and only asks.
    ///
    /// - Throws: `noSuchProcess` once the process has ended, also before it is reaped.
    package func signal(_ signal: Signal) throws(Errno) {
        // Under the lock: the reference is not closed meanwhile.
        try state.withLock { state throws(Errno) in
            guard state.process?.condition == .running else { throw .noSuchProcess }
            try state.process?.signal(signal)
        }
    }

    /// Sends a signal to every process of the group that has this process's number.
    ///
    /// - Throws: `noSuchProcess` where there is no such group, and once the process has been reaped.
    package func signalGroup(_ signal: Signal) throws(Errno) {
        // Under the lock: this handle does not reap the process meanwhile, which would make the number free.
        try state.withLock { state throws(Errno) in
            guard let condition = state.process?.condition, condition != .reaped else { throw .noSuchProcess }
            try SystemProcessReference.signalGroup(pid, signal)
        }
    }

    // MARK: The end

    /// Reaps the process if it has ended. A watch is over then, and its handler is not called.
    ///
    /// - Returns: how the process ended; nil while it runs.
    /// - Throws: `noChildProcess` where the end has been told before.
    package func reap() throws(Errno) -> EndedProcess? {
        switch settle(killsGroup: false) {
        case .running: return nil
        case .ended(let ended): return ended
        case .toldBefore: throw .noChildProcess
        }
    }

    /// Reaps the process as soon as it has ended, and calls the handler on the loop then. Only one watch is kept.
    ///
    /// - Parameter killsGroup: whether what is left of the process's group is killed before the process is reaped.
    package func watch(
        on loop: MessageLoop, killsGroup: Bool = false, _ handler: @escaping @Sendable (EndedProcess) -> Void
    ) throws(Errno) {
        // Under the lock: the process may have ended, and the loop is quick.
        try state.withLock { state throws(Errno) in
            let watch = try state.process?.watch(on: loop) {
                if case .ended(let ended) = self.settle(killsGroup: killsGroup) { handler(ended) }
            }
            state.watch = watch.map { Watch(loop: loop, watch: $0) }
        }
    }

    /// Kills the process, waits for its end, and reaps it. For a child of which nobody shall hear.
    package func killAndReap() {
        state.withLock { state in
            try? state.process?.signal(.kill)
            state.process?.waitForEnd()
        }
        _ = settle(killsGroup: false)
    }

    private func settle(killsGroup: Bool) -> Settlement {
        let settlement = state.withLock { state -> Settlement in
            if state.isEndTold { return .toldBefore }
            // So long the number of the group is the child's and nobody else's.
            if killsGroup, state.process?.condition == .zombie { try? SystemProcessReference.signalGroup(pid, .kill) }
            do throws(Errno) {
                guard let ended = try state.process?.reap() else { return .running }
                state.isEndTold = true
                return .ended(ended)
            } catch {
                // ECHILD: something else in this program has waited for it.
                state.isEndTold = true
                return .ended(EndedProcess(status: .unknown))
            }
        }
        if case .ended = settlement { letGo() }
        return settlement
    }

    /// Called once.
    private func letGo() {
        // Without the lock: what the watch's handler holds may end with it.
        let watch = state.withLock { $0.watch.take() }
        if let watch { watch.loop.unwatch(watch.watch) }
        state.withLock { $0.process = nil }
    }
}
