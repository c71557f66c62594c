internal import Messaging
public import Reactor
internal import SystemPackage

/// A program that this one has started, and the channel to it.
///
/// Start one with ``fork(path:arguments:options:)-(FilePath,_,_)``. Messages that the child sends are read as soon as
/// something takes them: a handler (``onMessage(_:)``), or a sequence that is iterated (``messages``, ``events``). All
/// handlers of a child run one at a time on its loop. Every method is safe to call from any thread.
///
/// A child goes on whether or not its `ChildProcess` is kept: attached handlers are called to the end, and its process
/// is reaped. It is not ended together with this program, but hears of that as a disconnect; a child that only serves
/// ends then by itself.
public final class ChildProcess: Sendable {
    /// The child's process number. Another process can have it once the child has ended; ``kill(_:)`` is never misled.
    public var pid: Int32 { handle.pid }

    let connection: Connection
    private let handle: ProcessHandle
    private let killsGroupOnExit: Bool
    /// This program's ends of the child's pipes, by their numbers in the child.
    let inputs: [Int32: PipeWriter]
    let outputs: [Int32: PipeReader]
    private let process = Locked(ProcessState())

    private struct ProcessState {
        /// Ends a child whose time is over.
        var timer: MessageLoop.TimerID?
        var ended: EndedProcess?
        /// Who waits for the end. A waiter whose time is over is taken out by its timer.
        var waiters: [UInt64: ExitWaiter] = [:]
        private var lastWaiter: UInt64 = 0

        mutating func newWaiter() -> UInt64 {
            lastWaiter += 1
            return lastWaiter
        }
    }

    private struct ExitWaiter {
        let continuation: CheckedContinuation<ExitStatus?, Never>
        let timer: MessageLoop.TimerID?
    }

    init(_ handle: ProcessHandle, channel: Channel, streams: ChildStreams, options: Options) {
        self.handle = handle
        killsGroupOnExit = options.killsGroupOnExit
        inputs = streams.inputs
        outputs = streams.outputs
        connection = Connection(
            channel, to: .child,
            outputUses: { [outputs] in outputs.values.map(\.use) },
            reportUnheard: { [unhandledErrors = options.unhandledErrors] in
                unhandledErrors.report($0, pid: handle.pid)
            })
    }

    /// Begins to watch the channel and the process.
    func start() throws(Errno) {
        for output in outputs.values {
            output.listen { [weak emitter = connection.emitter] in emitter?.outputsChanged() }
        }
        try connection.start()
        try handle.watch(on: connection.loop, killsGroup: killsGroupOnExit) { self.ended($0) }
    }

    /// Sends the signal once the time is over, unless the child has ended before.
    func end(after timeout: Duration, by signal: Signal) {
        let timer = connection.loop.schedule(after: timeout) { [weak self] in _ = self?.kill(signal) }
        let isLate = process.withLock { process in
            process.timer = timer
            return process.ended != nil
        }
        if isLate { connection.loop.cancel(timer) }
    }

    /// Ends a child that could not be watched.
    func discard() {
        handle.killAndReap()
        connection.channel.discard()
    }

    // MARK: The end of the process

    private func ended(_ ended: EndedProcess) {
        let (timer, waiters) = process.withLock { process in
            process.ended = ended
            defer { (process.timer, process.waiters) = (nil, [:]) }
            return (process.timer, process.waiters)
        }
        if let timer { connection.loop.cancel(timer) }
        let status = ExitStatus(ended.status)
        for waiter in waiters.values {
            if let timer = waiter.timer { connection.loop.cancel(timer) }
            waiter.continuation.resume(returning: status)
        }
        for input in inputs.values { input.childEnded() }
        connection.childEnded(status)
    }

    // MARK: State

    /// The loop on which the child's handlers run. A task that prefers it takes messages without a change of threads,
    /// which would cost more than the message:
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(child.messageLoop.taskExecutor) {
    ///     for try await reply in child.messages(of: Reply.self) { … }
    /// }
    /// ```
    ///
    /// Like a handler, such a task must not block the thread.
    public var messageLoop: MessageLoop { connection.loop }

    /// Whether messages can be sent. They can't once this side has disconnected, the child has ended, or the child has
    /// disconnected and all of its messages have been read.
    public var isConnected: Bool { connection.isOpen }

    /// How the child ended, or nil while it runs. Known before the exit event, which waits for the child's messages.
    public var exitStatus: ExitStatus? { process.withLock { $0.ended?.status }.map { ExitStatus($0) } }

    /// What the child has used, once it has ended; nil while it runs, and if its status is unknown.
    public var resourceUsage: ResourceUsage? { process.withLock { $0.ended?.usage } }

    /// Waits until the child has ended, and says how. It does not end the child, and does not wait for its messages to
    /// be handled.
    ///
    /// - Throws: `CancellationError` if the task is cancelled before the child has ended.
    public func waitForExit() async throws -> ExitStatus {
        let id = process.withLock { $0.newWaiter() }
        let status = await withTaskCancellationHandler {
            await wait(id, isCancellable: true)
        } onCancel: {
            giveUp(id)
        }
        guard let status else { throw CancellationError() }
        return status
    }

    /// Waits for the end, for at most the time, whether or not the task is cancelled; nil if the time is over first.
    func exit(within time: Duration?) async -> ExitStatus? {
        await wait(process.withLock { $0.newWaiter() }, for: time)
    }

    /// Nil if the wait was given up.
    private func wait(_ id: UInt64, for time: Duration? = nil, isCancellable: Bool = false) async -> ExitStatus? {
        await withCheckedContinuation { continuation in
            let isOver = process.withLock { process in
                // A cancellation from now on finds the waiter; an earlier one is seen here.
                if process.ended != nil || isCancellable && Task.isCancelled { return true }
                // Under the lock: the timer may fire at once, and has to find the waiter.
                let timer = time.map { connection.loop.schedule(after: $0) { [weak self] in self?.giveUp(id) } }
                process.waiters[id] = ExitWaiter(continuation: continuation, timer: timer)
                return false
            }
            if isOver { continuation.resume(returning: exitStatus) }
        }
    }

    private func giveUp(_ id: UInt64) {
        process.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(returning: nil)
    }

    // MARK: Ending it

    /// Sends a signal to the child. Never reaches another process that was given the same number later. The signal 0 is
    /// sent to nobody, and only asks.
    ///
    /// - Returns: whether the child was there to get it; false once it has ended, also if it has not been reaped
    ///   yet.
    @discardableResult
    public func kill(_ signal: Signal = .terminate) -> Bool {
        (try? handle.signal(signal)) != nil
    }

    /// Sends a signal to every process of the child's group, the child among them: for children that start programs of
    /// their own. The child has to have a group (``Options/processGroup`` set to `new`, or ``Options/createsSession``);
    /// its children are in it unless they have left it.
    ///
    /// Once the child has ended this reaches nobody, because the group's number may be another's:
    /// ``Options/killsGroupOnExit`` ends what it leaves behind.
    ///
    /// - Returns: whether there was a group to get it.
    @discardableResult
    public func killGroup(_ signal: Signal = .terminate) -> Bool {
        (try? handle.signalGroup(signal)) != nil
    }

    /// Closes the channel from this side, gracefully: what was sent before still arrives, and so does what the child
    /// has on its way. The disconnect event comes when the child has closed its side too, as `Process.serve()` does by
    /// itself.
    ///
    /// The child is not ended. Calling it again has no effect.
    public func disconnect() {
        connection.disconnect()
    }
}

extension ChildProcess: CustomStringConvertible {
    public var description: String { "child process \(pid)" }
}
