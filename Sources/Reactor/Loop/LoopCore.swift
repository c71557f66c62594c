internal import DequeModule
internal import Synchronization
internal import SystemPackage

/// The loop itself: one turn runs what was handed over, waits for events, and passes them on. Threads that drive it
/// hold the core, not the `MessageLoop`, so that a loop nobody refers to any more can end.
final class LoopCore: @unchecked Sendable {
    // `shared` is guarded by its lock. `confined` is touched only by the thread that drives the loop, and only one
    // thread does at a time (see `LoopDriver`); the hand-over from one to the next goes through the lock.
    let name: String
    let queue: SystemEventQueue
    let shared = Locked(Shared())
    let confined = Confined()
    let drivingThread = Atomic<UInt>(0)
    private let latencyValue = Atomic(MessageLoop.Latency.balanced.rawValue)

    enum Job {
        case closure(@Sendable () -> Void)
        /// Of an actor whose executor is the loop. The loop is kept until its job has run.
        case actor(UnownedJob, MessageLoop)
        /// Of a task that prefers the loop, and is isolated to nobody.
        case task(UnownedJob, LoopTaskExecutor)
    }

    struct Shared: ~Copyable {
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
    final class Confined {
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
        queue = try SystemEventQueue()
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

    /// Changes what the loop has to do, and interrupts its wait where it is waiting.
    func change<Result>(_ body: (inout Shared) -> sending Result) -> Result {
        let (result, interrupt) = shared.withLock { shared in
            let result = body(&shared)
            defer { shared.isWaiting = false }
            return (result, shared.isWaiting)
        }
        if interrupt { queue.interrupt() }
        return result
    }
}
