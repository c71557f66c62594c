extension MessageLoop: SerialExecutor {
    public func enqueue(_ job: consuming ExecutorJob) {
        enqueue(.actor(UnownedJob(job), self))
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    public func isIsolatingCurrentContext() -> Bool? {
        isCurrent
    }

    public func checkIsolated() {
        precondition(isCurrent, "This code has to run on its message loop")
    }

    private func enqueue(_ job: consuming LoopCore.Job) {
        // Held by more than this loop: once the job can run, its end may be that of the last reference to the loop, and
        // whoever enqueues on an unowned executor holds none.
        let core = Unmanaged.passRetained(core)
        defer { core.release() }
        // A job that nobody runs would hang its task for good, and there is no way to refuse one.
        core.takeUnretainedValue().enqueueDriven(job)
    }
}

extension MessageLoop {
    /// What a task prefers so that it runs on the loop's thread, beside the handlers and without a hop between threads:
    /// `withTaskExecutorPreference(loop.taskExecutor)`, or `Task(executorPreference: loop.taskExecutor)`.
    ///
    /// The loop's thread runs as long as this is referred to. Such a task must not block, just as a handler must not.
    public var taskExecutor: any TaskExecutor { tasks }
}

/// What tasks run on that prefer a loop. Not the loop itself: as an actor's executor and as a task's it has to run the
/// jobs that come in different ways, and both come by a function of the same name. Nor may the loop give this out as
/// its unowned executor: a task retains what it is made to prefer, and releases what it runs on.
///
/// A task may be all that is left of those who knew the loop, and holds only this. So the loop's thread ends with this.
final class LoopTaskExecutor: TaskExecutor {
    private let core: LoopCore

    init(core: LoopCore) {
        self.core = core
    }

    deinit {
        core.stop()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let core = Unmanaged.passRetained(core)
        defer { core.release() }
        core.takeUnretainedValue().enqueueDriven(.task(UnownedJob(job), self))
    }
}
