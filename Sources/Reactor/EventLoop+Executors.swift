extension EventLoop: TaskExecutor {
    /// Of a task that prefers the loop. The jobs of actors come by way of `asUnownedSerialExecutor`.
    public func enqueue(_ job: consuming ExecutorJob) {
        // Held by more than this loop: once the job can run, its end may be that of the last reference to the loop, and
        // whoever enqueues on an unowned executor holds none.
        let core = Unmanaged.passRetained(core)
        defer { core.release() }
        // A job that nobody runs would hang its task for good, and there is no way to refuse one.
        core.takeUnretainedValue().enqueueDriven(.task(UnownedJob(job), self))
    }

    public func asUnownedTaskExecutor() -> UnownedTaskExecutor {
        UnownedTaskExecutor(ordinary: self)
    }
}

extension EventLoop: SerialExecutor {
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: actors)
    }

    public func isIsolatingCurrentContext() -> Bool? {
        isCurrent
    }

    public func checkIsolated() {
        precondition(isCurrent, "This code has to run on its event loop")
    }
}

/// What actors run on whose executor is a loop. Not the loop itself: as an actor's executor and as a task's it has to run the
/// jobs that come in different ways, and both come by a function of the same name.
///
/// This is the actors' part, and not the tasks', because nobody owns an actor's executor. A task owns the executor that it is
/// made with, but gives up a reference to what `asUnownedTaskExecutor` names: that has to be the same object.
final class LoopActorExecutor: SerialExecutor, @unchecked Sendable {
    // Set before anybody else knows of the loop.
    /// Owns this, and is there as long as an actor refers to it.
    unowned var loop: EventLoop!

    func enqueue(_ job: consuming ExecutorJob) {
        let loop = loop!
        // As with a task's. The job holds the loop until it has run.
        let core = Unmanaged.passRetained(loop.core)
        defer { core.release() }
        core.takeUnretainedValue().enqueueDriven(.actor(UnownedJob(job), loop))
    }

    func isIsolatingCurrentContext() -> Bool? {
        loop.isIsolatingCurrentContext()
    }

    func checkIsolated() {
        loop.checkIsolated()
    }
}
