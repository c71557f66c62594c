internal import Synchronization
internal import SystemPackage

/// Who drives the loop, and hands it on; `LoopDriver` decides.
extension LoopCore {
    /// Starts a thread that drives the loop, unless somebody does already.
    func ensureDriven() throws(Errno) {
        guard shared.withLock({ $0.driver.startBackground() }) else { return }
        try startThread()
    }

    func startThread() throws(Errno) {
        do {
            try Thread.start(name: name) { self.driveInBackground() }
        } catch {
            let latch = change { $0.driver.backgroundLeaves() }
            latch?.open()
            throw error
        }
    }

    /// Drives the loop on the calling thread until `isDone`; a background thread makes way. False where another caller
    /// drives it, or where this is a handler of the loop itself.
    func drive(beginningWith begin: () -> Void, until isDone: () -> Bool) -> Bool {
        if isCurrent { return false }
        switch change({ $0.driver.takeOver() }) {
        case .start: break
        case .wait(let latch): latch.wait()
        case .refuse: return false
        }
        drivingThread.store(Thread.current, ordering: .relaxed)
        begin()
        // Done only once what was handed over before has been run.
        while !(shared.withLock { $0.jobs.isEmpty } && isDone()) { turn() }
        drivingThread.store(0, ordering: .relaxed)
        let (startsThread, latch) = change { shared in
            (shared.driver.callerLeaves(hasJobs: !shared.jobs.isEmpty), shared.driver.takeCallersEnd())
        }
        latch?.open()
        if startsThread { try? startThread() }
        return true
    }

    /// Calls the body in the loop's stead, without a turn: what has been handed over stays for whoever drives later.
    /// False where somebody drives.
    func runIfUndriven(_ body: () -> Void) -> Bool {
        guard change({ $0.driver.takeOverIfUndriven() }) else { return false }
        drivingThread.store(Thread.current, ordering: .relaxed)
        body()
        drivingThread.store(0, ordering: .relaxed)
        let (startsThread, latch) = change { ($0.driver.callerLeaves(hasJobs: false), $0.driver.takeCallersEnd()) }
        latch?.open()
        if startsThread { try? startThread() }
        return true
    }

    func waitForCaller() {
        shared.withLock { $0.driver.waitForCaller() }?.wait()
    }

    /// Ends the background thread once it has run what was handed over.
    func stop() {
        change { $0.driver.stop() }
    }

    private func driveInBackground() {
        drivingThread.store(Thread.current, ordering: .relaxed)
        // What was handed over before the loop's end is still run: somebody may wait for it.
        while shared.withLock({ $0.driver.backgroundStays || $0.driver.isStopping && !$0.jobs.isEmpty }) { turn() }
        drivingThread.store(0, ordering: .relaxed)
        let latch = shared.withLock { $0.driver.backgroundLeaves() }
        latch?.open()
    }
}
