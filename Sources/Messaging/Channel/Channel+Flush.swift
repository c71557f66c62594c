internal import Reactor
internal import SystemPackage

extension Channel {
    /// Returns when all that was accepted so far has been written to the socket; throws where it never will be.
    package func flush() async throws {
        // The loop would write only when it comes to that.
        if loop.isCurrent || outbound.withLock({ $0.isFlushPlanned }) { write() }
        if !Task.isCancelled {
            switch outbound.withLock({ $0.queue.waitAction }) {
            case .finished: return
            case .failed(let closing): throw ChannelError.closed(closing)
            case .wait: break
            }
        }
        let id = outbound.withLock { $0.newWaiter() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // A cancellation from now on finds the waiter; one before is seen here.
                if let result = wait(id, .task(continuation), isCancelled: { Task.isCancelled }) {
                    continuation.resume(with: result)
                } else {
                    driveOrGiveUp(id)
                }
            }
        } onCancel: {
            giveUp(id, CancellationError())
        }
    }

    /// Without a thread for the loop nobody would ever end the wait.
    private func driveOrGiveUp(_ id: UInt64) {
        do throws(Errno) {
            try loop.ensureDriven()
        } catch {
            giveUp(id, ChannelError.system(error))
        }
    }

    /// If it is too late for that, the waiter is told something else, soon.
    private func giveUp(_ id: UInt64, _ error: any Error) {
        let waiter = outbound.withLock { outbound in
            outbound.queue.cancelWait(id) ? outbound.waiters.removeValue(forKey: id) : nil
        }
        waiter?.resume(with: .failure(error))
    }

    /// Nil if the waiter will be told; otherwise the result.
    private func wait(
        _ id: UInt64, _ waiter: FlushWaiter, isCancelled: () -> Bool = { false }
    ) -> Result<Void, any Error>? {
        outbound.withLock { outbound in
            if isCancelled() { return .failure(CancellationError()) }
            switch outbound.queue.wait(id) {
            case .finished: return .success(())
            case .failed(let closing): return .failure(ChannelError.closed(closing))
            case .wait:
                outbound.waiters[id] = waiter
                return nil
            }
        }
    }

    /// The same on the calling thread, which writes by itself, in at most so much time. For handlers, which hold up the
    /// loop that would write, and for the last words of a process.
    package func flush(within time: Duration) throws {
        let deadline = SuspendingClock.now + time.bounded
        let id = outbound.withLock { $0.newWaiter() }
        let outcome = FlushOutcome()
        if let result = wait(id, .thread(outcome)) { return try result.get() }
        var queued = Int.max
        while true {
            write()
            if let result = outcome.result { return try result.get() }
            let rest = SuspendingClock.now.duration(to: deadline)
            if rest <= .zero { giveUp(id, ChannelError.notFlushed(after: time)) }
            waitForPeer(for: rest)
            // The socket may be writable, and an acknowledgement or another thread's write be waited for.
            let remaining = outbound.withLock { $0.queue.queuedCount }
            if remaining == queued { System.sleep(milliseconds: 1) }
            queued = remaining
        }
    }

    /// Waits for what keeps the queue from being written: room in the socket, or credit, which the loop reads. A
    /// handler holds up the loop, and so reads itself.
    private func waitForPeer(for time: Duration) {
        guard outbound.withLock({ $0.queue.awaitsPeer }) else { return waitUntilWritable(for: time) }
        if loop.isCurrent {
            readForCredit()
        } else {
            try? loop.ensureDriven()
            System.sleep(milliseconds: 1)
        }
    }

    /// Waits for room in the socket, for a short time only: another thread may be at it, or may have been told of the
    /// room.
    private func waitUntilWritable(for time: Duration) {
        let milliseconds = min(time.bounded / .milliseconds(1), 20)
        _ = try? System.waitUntilWritable(descriptor, milliseconds: CInt(milliseconds.rounded(.up)))
        _ = outbound.withLock { $0.queue.socketBecameWritable() }
    }

    /// How long the end of a process waits for an acknowledgement, which a busy peer may still give.
    private static let patienceForAnswer = Duration.milliseconds(100)

    /// Writes all that is queued on the calling thread, and gives up when nothing could be written for as long as said.
    /// For the end of the process, when nobody drives the loop any more, and so perhaps nobody reads acknowledgements:
    /// to send on without is better than not to send.
    package func flush(givingUpAfter patience: Duration) {
        // No deadline: one that is very far off could not be represented.
        var start = SuspendingClock.now
        var queued = Int.max
        while true {
            let (remaining, isHeldBack) = outbound.withLock { ($0.queue.queuedCount, $0.queue.isHeldBack) }
            if remaining == 0 { return }
            if remaining < queued {
                queued = remaining
                start = SuspendingClock.now
            } else if start.duration(to: .now) > patience {
                return
            } else if isHeldBack, loop.isCurrent || start.duration(to: .now) > Self.patienceForAnswer {
                acknowledgementsEnded()
            } else {
                // The socket may be writable, and only too many handles under way.
                System.sleep(milliseconds: 1)
            }
            waitForPeer(for: patience)
            write()
        }
    }
}

/// Who waits until something has been written.
enum FlushWaiter {
    case task(CheckedContinuation<Void, any Error>)
    case thread(FlushOutcome)

    func resume(with result: Result<Void, any Error>) {
        switch self {
        case .task(let continuation): continuation.resume(with: result)
        case .thread(let outcome): outcome.set(result)
        }
    }
}

/// What a thread that writes by itself looks at.
final class FlushOutcome: Sendable {
    private let outcome = Locked<Result<Void, any Error>?>(nil)

    var result: Result<Void, any Error>? { outcome.withLock { $0 } }

    func set(_ result: Result<Void, any Error>) {
        outcome.withLock { $0 = result }
    }
}
