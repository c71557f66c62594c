package import SystemPackage

/// A thread that waits for many things at once and runs handlers one after another.
///
/// Every child's handlers run on its loop, so they never race each other; a handler that takes long delays the others
/// of its loop. Without a choice all children share one loop, whose thread starts with the first child and sleeps while
/// nothing happens. Give a child a loop of its own with ``init(name:latency:)`` where its handlers are slow.
///
/// A loop is also an executor: an actor whose `unownedExecutor` is a loop, or a task that prefers its ``taskExecutor``,
/// runs on the loop's thread, beside the handlers and without a hop between threads.
public final class MessageLoop: Sendable {
    let core: LoopCore
    let tasks: LoopTaskExecutor
    /// A loop made by the user of the package has nobody else who would start its thread.
    private let startsWithUse: Bool

    /// Makes a loop whose thread starts with its first use and ends when nothing refers to the loop any more.
    ///
    /// - Parameters:
    ///   - name: the thread's name, of which the kernel keeps the first fifteen bytes.
    ///   - latency: how it waits; see ``latency``.
    /// - Throws: `Errno` where the process has no descriptors left.
    public convenience init(name: String = "fork-loop", latency: Latency = .balanced) throws {
        try self.init(named: name, startsWithUse: true)
        self.latency = latency
    }

    package init(named name: String, startsWithUse: Bool = false) throws(Errno) {
        self.startsWithUse = startsWithUse
        core = try LoopCore(name: name)
        tasks = LoopTaskExecutor(core: core)
    }

    /// Whether the calling code runs on this loop now.
    public var isCurrent: Bool { core.isCurrent }

    /// Runs `body` on the loop, soon, after what was handed over before. From any thread.
    public func execute(_ body: @escaping @Sendable () -> Void) {
        core.enqueue(.closure(body))
        if startsWithUse, !isCurrent { try? ensureDriven() }
    }

    /// Runs `body` on the loop at once, before any handler, where the loop is waiting for events. Otherwise, so where a
    /// handler is running, which may take its time, it does nothing and returns false.
    package func executeIfWaiting(_ body: @escaping @Sendable () -> Void) -> Bool {
        core.enqueueIfWaiting(body)
    }

    // MARK: Driving

    /// Starts the loop's own thread, unless some thread drives the loop already.
    package func ensureDriven() throws(Errno) {
        try core.ensureDriven()
    }

    /// Drives the loop on the calling thread until `isDone`; then a background thread goes on where there was one, or
    /// where one was asked for meanwhile. False where another caller's thread drives it already, or where this is
    /// called by a handler of the loop.
    ///
    /// - Parameter begin: called, where this is not refused, when no other thread drives the loop any more.
    @discardableResult
    package func drive(beginningWith begin: () -> Void = {}, until isDone: () -> Bool) -> Bool {
        core.drive(beginningWith: begin, until: isDone)
    }

    /// Calls the body as if on the loop, unless some thread drives it; nothing else of the loop runs.
    @discardableResult
    package func runIfUndriven(_ body: () -> Void) -> Bool {
        core.runIfUndriven(body)
    }

    /// Returns when the caller's thread that drives the loop has left, and at once where none does. Not on the loop.
    package func waitForCaller() {
        core.waitForCaller()
    }

    // MARK: Timers

    package struct TimerID: Sendable {
        let id: UInt64
    }

    /// Runs `body` on the loop once `delay` has gone by, measured without the time the machine sleeps.
    package func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> TimerID {
        TimerID(id: core.schedule(after: delay, body))
    }

    package func cancel(_ timer: TimerID) {
        core.cancelTimer(timer.id)
    }

    // MARK: Descriptors

    /// A descriptor under watch. It has to be given up with `unwatch` before it is closed.
    package struct Watch: Sendable {
        let descriptor: CInt
        let token: UInt64
    }

    /// Calls the handler on the loop whenever something changes on the descriptor: each change once.
    package func watch(
        _ descriptor: CInt, for interest: Interest = .reading, _ handler: @escaping @Sendable (Readiness) -> Void
    ) throws(Errno) -> Watch {
        Watch(descriptor: descriptor, token: try core.watch(descriptor, interest, handler))
    }

    /// What is ready already is reported anew.
    package func update(_ watch: Watch, _ interest: Interest) {
        core.update(watch.descriptor, token: watch.token, interest)
    }

    package func unwatch(_ watch: Watch) {
        core.unwatch(watch.descriptor, token: watch.token)
    }

    /// Calls `turnEnds` when the present turn of the loop is over. Only on the loop.
    package func atEndOfTurn(_ participant: any TurnParticipant) {
        core.atEndOfTurn(participant)
    }

    /// Lends a buffer to read into, for the time of the call. Only on the loop.
    package func withReadBuffer(_ body: (UnsafeMutableRawBufferPointer) -> Void) {
        core.withReadBuffer(body)
    }

    /// Gives away, and takes in exchange, memory that only its size is of worth: one piece for all users of the loop.
    /// Only on the loop.
    package func exchangeSpareMemory(_ memory: inout [UInt8]) {
        core.exchangeSpareMemory(&memory)
    }

    // MARK: The shared loop

    private static let sharedLoop = Locked<MessageLoop?>(nil)

    /// The loop that all share who chose none, or a new one, which becomes that once somebody passes it to `share`.
    package static func sharedOrNew() throws(Errno) -> MessageLoop {
        if let loop = sharedLoop.withLock({ $0 }) { return loop }
        return try MessageLoop(named: "fork-loop")
    }

    package static func share(_ loop: MessageLoop) {
        sharedLoop.withLock { if $0 == nil { $0 = loop } }
    }
}
