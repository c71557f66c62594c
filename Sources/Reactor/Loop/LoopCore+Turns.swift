internal import DequeModule

/// What happens in the loop, turn by turn. Only on the thread that drives it.
extension LoopCore {
    /// Calls `turnEnds` once when this turn is over.
    func atEndOfTurn(_ participant: any TurnParticipant) {
        assert(isCurrent)
        confined.participants.append(participant)
    }

    func withReadBuffer(_ body: (UnsafeMutableRawBufferPointer) -> Void) {
        assert(isCurrent)
        body(confined.readBuffer)
    }

    func exchangeSpareMemory(_ memory: inout [UInt8]) {
        assert(isCurrent)
        swap(&memory, &confined.spareMemory)
    }

    /// Waits for events, and not at all if something has been handed over; then does what there is to do: what was
    /// handed over before the wait ended, the events, what they handed over. The wait comes first, so that the thread
    /// that drives the loop looks at the outcome of all of it before the next wait.
    func turn() {
        let timeout = shared.withLock { shared in
            shared.turns += 1
            let timeout = Self.timeout(&shared)
            shared.isWaiting = timeout != 0
            return timeout
        }
        wait(milliseconds: timeout)
        // Once more: some come just when the wait has ended without an event, and others from the events' handlers.
        let (urgent, hasTimers) = shared.withLock { shared in
            (shared.endWait(&confined.runningJobs), !shared.timers.isEmpty)
        }
        urgent?()
        if hasTimers { fireTimers() }
        runJobs()
        endTurn()
    }

    /// Waits for events and passes them on; looks for them first, where that is worth it.
    private func wait(milliseconds timeout: CInt) {
        if timeout == 0 { return passOn(milliseconds: 0) }
        let limit = confined.polling.limit(latency)
        if let limit {
            let end = SuspendingClock.now + limit
            var count = 0
            repeat { passOn(milliseconds: 0) { count = $0 } } while count <= 0 && .now < end
            if count > 0 { return confined.polling.found() }
        }
        let start = SuspendingClock.now
        passOn(milliseconds: timeout) { _ in
            confined.polling.slept(for: start.duration(to: .now), hasLooked: limit != nil)
        }
    }

    private func passOn(milliseconds: CInt, woken: (_ count: Int) -> Void = { _ in }) {
        queue.wait(milliseconds: milliseconds) { count in
            woken(count)
            guard count > 0 else { return }
            let urgent = shared.withLock { $0.endWait(&confined.runningJobs) }
            urgent?()
            runJobs()
        } _: { token, readiness in
            let handler = shared.withLock { $0.watches.handler(of: token) }
            handler?(readiness)
        }
    }

    private static func timeout(_ shared: inout Shared) -> CInt {
        if !shared.jobs.isEmpty || shared.driver.wantsChange { return 0 }
        guard let deadline = shared.timers.nextDeadline() else { return -1 }
        let remaining = SuspendingClock.now.duration(to: deadline)
        if remaining <= .zero { return 0 }
        // Rounded up, or the loop would spin through the last millisecond; a day at most, then it looks again.
        let (seconds, attoseconds) = remaining.components
        if seconds >= 86_400 { return 86_400_000 }
        return CInt(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    private func runJobs() {
        while let job = confined.runningJobs.popFirst() {
            switch job {
            case .closure(let body): body()
            case .actor(let job, let loop):
                withExtendedLifetime(loop) {
                    job.runSynchronously(
                        isolatedTo: loop.asUnownedSerialExecutor(), taskExecutor: loop.tasks.asUnownedTaskExecutor())
                }
            case .task(let job, let tasks):
                // Not as if it were isolated to the loop: it would be enqueued once more, to leave that isolation.
                withExtendedLifetime(tasks) { job.runSynchronously(on: tasks.asUnownedTaskExecutor()) }
            }
        }
    }

    private func fireTimers() {
        let now = SuspendingClock.now
        while let body = shared.withLock({ $0.timers.popDue(at: now) }) { body() }
    }

    private func endTurn() {
        // What ends here may begin new work that belongs to this turn.
        while let participant = confined.participants.popLast() { participant.turnEnds() }
    }
}
