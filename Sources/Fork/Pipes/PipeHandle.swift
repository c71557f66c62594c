internal import Reactor
internal import Synchronization
internal import SystemPackage

/// This program's end of a pipe to or from a child: the descriptor around `PipeAccessState`.
///
/// Nothing waits in a system call. Whoever finds the pipe empty or full asks for one report of its readiness, so a pipe
/// that nobody uses costs nothing.
final class PipeHandle: Sendable {
    private typealias Continuation = CheckedContinuation<PipeAccess, Never>

    private struct Guarded: ~Copyable {
        var access = PipeAccessState<Continuation>()
        var descriptor: Descriptor?
        var watch: MessageLoop.Watch?
        /// Hears of the end of the pipe.
        var listener: (@Sendable () -> Void)?
    }

    /// Valid for whoever has the turn.
    let number: CInt
    private let guarded: Locked<Guarded>
    private let loop: MessageLoop
    private let interest: Interest
    private let lastID = Atomic<UInt64>(0)

    /// - Parameter interest: what is reported to whoever waits.
    init(_ descriptor: consuming Descriptor, loop: MessageLoop, interest: Interest) throws(Errno) {
        try System.setNonBlocking(descriptor.rawValue)
        number = descriptor.rawValue
        self.loop = loop
        self.interest = interest
        guarded = Locked(Guarded(descriptor: descriptor))
        let handler: @Sendable (Readiness) -> Void = { [weak self] in self?.becameReady($0) }
        let number = number
        try guarded.withLock { guarded throws(Errno) in
            guarded.watch = try loop.watch(number, for: .nothing, handler)
        }
    }

    deinit {
        close()
    }

    /// Says who hears when the other end is closed, or this one. On any thread; the call can come more than once.
    func listen(_ listener: @escaping @Sendable () -> Void) {
        guarded.withLock { $0.listener = listener }
    }

    // MARK: Access

    /// Waits for the turn. Whoever gets it gives it back with `leave`.
    func enter() async -> PipeAccess {
        await wait { guarded, id, continuation in
            switch guarded.access.enter(id, continuation) {
            case .go: (.go, closes: false)
            case .wait: nil
            case .refuse(let end): (.refused(end), closes: false)
            }
        }
    }

    /// Waits, with the turn, for the pipe to become ready. If it is not told to go, the turn is over.
    func block() async -> PipeAccess {
        await wait { [loop, interest] guarded, id, continuation in
            switch guarded.access.block(id, continuation) {
            case .wait:
                // Under the lock: the descriptor can't be closed meanwhile. Reports anew what is ready already.
                if let watch = guarded.watch { loop.update(watch, interest) }
                return nil
            case .refuse(let end, let closes):
                return (.refused(end), closes)
            }
        }
    }

    private func wait(
        _ begin: @Sendable (inout Guarded, UInt64, Continuation) -> (PipeAccess, closes: Bool)?
    ) async -> PipeAccess {
        let id = lastID.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = guarded.withLock { begin(&$0, id, continuation) }
                if let (turn, closes) = answer {
                    if closes { close() }
                    continuation.resume(returning: turn)
                } else if Task.isCancelled {
                    // The cancellation may have come before there was anything to cancel.
                    cancel(id)
                }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: UInt64) {
        let action = guarded.withLock { $0.access.cancel(id) }
        action.cancelled?.resume(returning: .cancelled)
        perform(action.left)
    }

    func leave() {
        perform(guarded.withLock { $0.access.leave() })
    }

    private func perform(_ action: PipeAccessState<Continuation>.LeaveAction) {
        action.next?.resume(returning: .go)
        if action.closes { close() }
    }

    // MARK: The end

    var end: PipeEnd? { guarded.withLock { $0.access.end } }

    /// Closes the pipe when all who are waiting for their turn have had it.
    func finish() {
        if guarded.withLock({ $0.access.finish() }) { close() }
    }

    /// Closes the pipe; all who wait are refused.
    func breakOff(_ reason: PipeEnd) {
        let action = guarded.withLock { $0.access.breakOff(reason) }
        for waiter in action.refused { waiter.resume(returning: .refused(reason)) }
        if action.closes { close() }
    }

    /// What there is to read.
    var content: System.PipeContent {
        guarded.withLock { $0.access.isOver ? .ended : System.content(number) }
    }

    private func becameReady(_ readiness: Readiness) {
        let hasPeer = !readiness.isPeerClosed
        let (waiter, listener) = guarded.withLock { guarded in
            // For the end, which would be reported for ever once it has come.
            if hasPeer, let watch = guarded.watch { loop.update(watch, .nothing) }
            return (guarded.access.becameReady(), guarded.listener)
        }
        waiter?.resume(returning: .go)
        if hasPeer { return }
        if interest == .writingOnce { breakOff(.peerClosed) }
        listener?()
    }

    private func close() {
        let (watch, descriptor, listener) = guarded.withLock { guarded in
            defer { (guarded.watch, guarded.listener) = (nil, nil) }
            return (guarded.watch, guarded.descriptor.take()?.take(), guarded.listener)
        }
        if let watch { loop.unwatch(watch) }
        if let descriptor { System.close(descriptor) }
        listener?()
    }
}
