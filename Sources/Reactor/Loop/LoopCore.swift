internal import DequeModule
internal import Synchronization
internal import SystemPackage

/// Something that has work to finish when the loop's turn is over, such as writes gathered during the turn.
package protocol TurnParticipant: AnyObject, Sendable {
    func turnEnds()
}

/// The loop itself: one turn runs what was handed over, waits for events, and passes them on. Threads that drive it
/// hold the core, not the `MessageLoop`, so that a loop nobody refers to any more can end.
final class LoopCore: @unchecked Sendable {
    // `shared` is guarded by its lock. `confined` is touched only by the thread that drives the loop, and only one
    // thread does at a time (see `LoopDriver`); the hand-over from one to the next goes through the lock.
    private let name: String
    private let queue: EventQueue
    private let shared = Locked(Shared())
    private let confined = Confined()
    private let drivingThread = Atomic<UInt>(0)
    private let latencyValue = Atomic(MessageLoop.Latency.balanced.rawValue)

    enum Job {
        case closure(@Sendable () -> Void)
        /// Of an actor whose executor is the loop. The loop is kept until its job has run.
        case actor(UnownedJob, MessageLoop)
        /// Of a task that prefers the loop, and is isolated to nobody.
        case task(UnownedJob, LoopTaskExecutor)
    }

    private struct Shared: ~Copyable {
        var jobs = Deque<Job>()
        /// What ended a wait, and is done before anything that came with that. There is one at most: it ends the wait.
        var urgent: (@Sendable () -> Void)?
        var timers = TimerQueue<SuspendingClock.Instant, @Sendable () -> Void>()
        var watches = WatchTable<@Sendable (Readiness) -> Void>()
        var driver = LoopDriver()
        var isWaiting = false
        var turns: UInt64 = 0

        /// The wait is over: what is handed over from now on needs no interruption. Returns what has to be done at
        /// once. Both in one: what came between the two would wait for the next turn, and be replaced by what comes in
        /// that.
        ///
        /// Takes the jobs, too: what was handed over before the wait ended runs before what ended it. So a handler that
        /// was attached before a request was sent is there for the answer.
        mutating func endWait(_ running: inout Deque<Job>) -> (@Sendable () -> Void)? {
            isWaiting = false
            if !jobs.isEmpty { swap(&jobs, &running) }
            return urgent.take()
        }
    }

    /// Changed in every turn, and by one statement each time: the check for exclusive access would cost more than that.
    private final class Confined {
        @exclusivity(unchecked) var runningJobs = Deque<Job>()
        @exclusivity(unchecked) var polling = PollingState(coreCount: System.coreCount)
        @exclusivity(unchecked) var participants: [any TurnParticipant] = []
        /// Memory that one of them has used, and that the next may.
        @exclusivity(unchecked) var spareMemory: [UInt8] = []
        /// What all channels of the loop read into. Untouched pages cost nothing.
        let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

        deinit {
            readBuffer.deallocate()
        }
    }

    init(name: String) throws(Errno) {
        self.name = name
        queue = try EventQueue()
    }

    var isCurrent: Bool { drivingThread.load(ordering: .relaxed) == Thread.current }

    var latency: MessageLoop.Latency {
        // `!`: only such values are stored.
        get { MessageLoop.Latency(rawValue: latencyValue.load(ordering: .relaxed))! }
        set { latencyValue.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// How often the loop has woken up; for tests that prove that it sleeps.
    var turns: UInt64 { shared.withLock { $0.turns } }

    var timerCount: Int { shared.withLock { $0.timers.count } }

    var watchCount: Int { shared.withLock { $0.watches.count } }

    // MARK: From any thread

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

    /// Changes what the loop has to do, and interrupts its wait where it is waiting.
    private func change<Result>(_ body: (inout Shared) -> sending Result) -> Result {
        let (result, interrupt) = shared.withLock { shared in
            let result = body(&shared)
            defer { shared.isWaiting = false }
            return (result, shared.isWaiting)
        }
        if interrupt { queue.interrupt() }
        return result
    }

    // MARK: Driving

    /// Starts a thread that drives the loop, unless somebody does already.
    func ensureDriven() throws(Errno) {
        guard shared.withLock({ $0.driver.startBackground() }) else { return }
        try startThread()
    }

    private func startThread() throws(Errno) {
        do {
            try Thread.start(name: name) { self.driveInBackground() }
        } catch {
            let gate = change { $0.driver.backgroundLeaves() }
            gate?.open()
            throw error
        }
    }

    /// Drives the loop on the calling thread until `isDone`; a background thread makes way. False where another caller
    /// drives it, or where this is a handler of the loop itself.
    func drive(beginningWith begin: () -> Void, until isDone: () -> Bool) -> Bool {
        if isCurrent { return false }
        switch change({ $0.driver.takeOver() }) {
        case .start: break
        case .wait(let gate): gate.wait()
        case .refuse: return false
        }
        drivingThread.store(Thread.current, ordering: .relaxed)
        begin()
        // Done only once what was handed over before has been run.
        while !(shared.withLock { $0.jobs.isEmpty } && isDone()) { turn() }
        drivingThread.store(0, ordering: .relaxed)
        let (startsThread, gate) = change { shared in
            (shared.driver.callerLeaves(hasJobs: !shared.jobs.isEmpty), shared.driver.takeCallersEnd())
        }
        gate?.open()
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
        let (startsThread, gate) = change { ($0.driver.callerLeaves(hasJobs: false), $0.driver.takeCallersEnd()) }
        gate?.open()
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
        let gate = shared.withLock { $0.driver.backgroundLeaves() }
        gate?.open()
    }

    // MARK: In the loop

    /// Calls `turnEnds` once when this turn is over. Only in the loop.
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
    private func turn() {
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
