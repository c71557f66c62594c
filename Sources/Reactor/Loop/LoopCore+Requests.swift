internal import SystemPackage

/// What is asked of the loop, from any thread.
extension LoopCore {
    func enqueue(_ job: Job) {
        change { $0.jobs.append(job) }
    }

    /// The same, and starts a thread that drives the loop where nobody does.
    func enqueueDriven(_ job: Job) {
        let startsThread = change { shared in
            shared.jobs.append(job)
            return shared.driver.startIfUndriven()
        }
        if startsThread { try? startThread() }
    }

    func enqueueIfWaiting(_ body: @escaping @Sendable () -> Void) -> Bool {
        let isWaiting = shared.withLock { shared in
            guard shared.isWaiting else { return false }
            shared.isWaiting = false
            shared.urgent = body
            return true
        }
        if isWaiting { queue.interrupt() }
        return isWaiting
    }

    func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> UInt64 {
        change { $0.timers.add(at: .now + delay.bounded, body) }
    }

    func cancelTimer(_ id: UInt64) {
        let body = shared.withLock { $0.timers.cancel(id) }
        // Let go only now: the end of what it holds may call the loop, whose lock is not recursive.
        withExtendedLifetime(body) {}
    }

    func watch(
        _ descriptor: CInt, _ interest: Interest, _ handler: @escaping @Sendable (Readiness) -> Void
    ) throws(Errno) -> UInt64 {
        let token = shared.withLock { $0.watches.add(handler) }
        do {
            try queue.add(descriptor, interest, token: token)
        } catch {
            _ = shared.withLock { $0.watches.remove(token) }
            throw error
        }
        return token
    }

    func update(_ descriptor: CInt, token: UInt64, _ interest: Interest) {
        // Can fail only for a descriptor that is not watched, which the caller rules out.
        try? queue.modify(descriptor, interest, token: token)
    }

    func unwatch(_ descriptor: CInt, token: UInt64) {
        queue.remove(descriptor)
        let handler = shared.withLock { $0.watches.remove(token) }
        // As with a timer.
        withExtendedLifetime(handler) {}
    }
}
