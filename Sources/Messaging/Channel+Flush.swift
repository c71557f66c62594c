internal import Reactor
internal import SystemPackage

extension Channel {
    /// Returns when all that was accepted so far has been written to the socket; throws where it never will be.
    package func flush() async throws {
        // The loop would write only when it comes to that.
        if loop.isCurrent || outbound.withLock({ $0.isFlushPlanned }) { write() }
        if !Task.isCancelled {
            switch outbound.withLock({ $0.queue.progress }) {
            case .finished: return
            case .failed(let closing): throw ChannelError.closed(closing)
            case .wait: break
            }
        }
        let id = outbound.withLock { outbound in
            outbound.lastWaiter += 1
            return outbound.lastWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if let result = waitOrResult(id, continuation) {
                    continuation.resume(with: result)
                } else {
                    driveOrGiveUp(id)
                }
            }
        } onCancel: {
            let waiter = outbound.withLock { outbound in
                outbound.queue.cancelWait(id) ? outbound.continuations.removeValue(forKey: id) : nil
            }
            waiter?.resume(throwing: CancellationError())
        }
    }

    /// Without a thread for the loop nobody would ever end the wait.
    private func driveOrGiveUp(_ id: UInt64) {
        do throws(Errno) {
            try loop.ensureDriven()
        } catch {
            let waiter = outbound.withLock { outbound in
                outbound.queue.cancelWait(id) ? outbound.continuations.removeValue(forKey: id) : nil
            }
            waiter?.resume(throwing: ChannelError.system(error))
        }
    }

    private func waitOrResult(
        _ id: UInt64, _ continuation: CheckedContinuation<Void, any Error>
    ) -> Result<Void, any Error>? {
        outbound.withLock { outbound in
            // A cancellation from now on finds the waiter; one before is seen here.
            if Task.isCancelled { return .failure(CancellationError()) }
            switch outbound.queue.wait(id) {
            case .finished: return .success(())
            case .failed(let closing): return .failure(ChannelError.closed(closing))
            case .wait:
                outbound.continuations[id] = continuation
                return nil
            }
        }
    }

    /// How long the end of a process waits for an acknowledgement, which a busy peer may still give.
    private static let patienceForAnswer = Duration.milliseconds(100)

    /// Writes all that is queued on the calling thread, and gives up when nothing could be written for as long as said.
    /// For the end of the process, when nobody drives the loop any more, and so perhaps nobody reads acknowledgements: to
    /// send on without is better than not to send.
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
            // A short wait each time: another thread may be at it, or may have been told of the free room.
            _ = try? System.waitUntilWritable(descriptor, milliseconds: 20)
            _ = outbound.withLock { $0.queue.socketBecameWritable() }
            write()
        }
    }
}
