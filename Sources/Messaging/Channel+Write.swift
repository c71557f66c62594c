internal import Reactor
internal import SystemPackage
internal import Wire

extension Channel {
    /// How many batches one call writes. Others may queue as fast as the peer reads, and nobody writes for them for
    /// ever.
    private static let batchesPerCall = 16

    /// Writes what is queued, as far as the socket takes it and no other thread is at it; the loop goes on where that
    /// is much.
    func write() {
        for _ in 0..<Self.batchesPerCall {
            guard var batch = outbound.withLock({ $0.queue.takeBatch() }) else { return }
            do throws(Errno) {
                let count = try batch.send(to: descriptor)
                if count < batch.count { arm() }
                // Somebody has to read the acknowledgement.
                if dialect == .node, batch.first.handles != nil { try? loop.ensureDriven() }
                if complete(&batch, written: count) != .write { return }
            } catch .wouldBlock {
                arm()
                if complete(&batch, written: 0) != .write { return }
            } catch System.tooManyUnderWay {
                if complete(&batch, written: 0) != .write { return tryAgainLater() }
            } catch {
                // EPIPE and ECONNRESET: nobody will read it. Any other error means the same for what is queued.
                if batch.first.handles == nil || error == .brokenPipe || error == .connectionReset {
                    failWriting(.byPeer, batch)
                    // Closed behind the channel's back: the kernel tells of no event any more, but reading does.
                    if error == .badFileDescriptor || error == .notSocket {
                        loop.execute { self.becameReadable(.readable) }
                    }
                    return
                }
                if refuse(batch, error) != .write { return }
            }
        }
        loop.execute { self.write() }
        try? loop.ensureDriven()
    }

    /// What has been sent in a burst from outside the loop. On the loop, or where that can't do it at once.
    func writeBurst() {
        outbound.withLock { $0.isFlushPlanned = false }
        write()
    }

    /// Asks the loop to say when the socket takes bytes again. Before the batch is given back, while the descriptor is
    /// surely open.
    func arm() {
        let isNew = outbound.withLock { outbound in
            guard !outbound.isArmed, let watch = outbound.watch else { return false }
            outbound.isArmed = true
            // Under the lock, as when it is taken back: the later of the two must also be the later in the kernel.
            loop.update(watch, .readingAndWriting)
            return true
        }
        if isNew { try? loop.ensureDriven() }
    }

    /// For what no event tells of.
    private func tryAgainLater() {
        let isNew = outbound.withLock { outbound in
            defer { outbound.isRetryPlanned = true }
            return !outbound.isRetryPlanned
        }
        guard isNew else { return }
        _ = loop.schedule(after: .milliseconds(10)) {
            self.outbound.withLock { $0.isRetryPlanned = false }
            self.becameWritable()
        }
        try? loop.ensureDriven()
    }

    /// Throws away the first message of the batch, because of its handles; the others can't be blamed.
    private func refuse(_ batch: OutboundQueue.Batch, _ error: Errno) -> OutboundQueue.Action {
        let (action, waiters) = outbound.withLock { outbound in
            let (action, failed) = outbound.queue.refused(batch)
            perform(action, &outbound)
            return (action, outbound.takeWaiters(failed))
        }
        for waiter in waiters { waiter.resume(with: .failure(ChannelError.handlesRefused(error))) }
        loop.execute { self.inbound.delegate?.channelFailed(.handlesRefused(error)) }
        return action
    }

    private func complete(_ batch: inout OutboundQueue.Batch, written: Int) -> OutboundQueue.Action {
        let isBlocked = written < batch.count
        let (action, waiters) = outbound.withLock { outbound in
            let (action, finished) = outbound.queue.wrote(written, of: batch, isBlocked: isBlocked)
            perform(action, &outbound)
            if !isBlocked { outbound.keepSpare(batch.takeFirstBytes()) }
            return (action, outbound.takeWaiters(finished))
        }
        for waiter in waiters { waiter.resume(with: .success(())) }
        return action
    }

    /// What an action means for the socket; under the lock, so that nobody closes it meanwhile.
    func perform(_ action: OutboundQueue.Action, _ outbound: inout Outbound) {
        if action == .endStream {
            if let number = outbound.socket?.rawValue { System.shutdownWriting(number) }
            loop.execute { self.closeIfDone() }
        }
        if outbound.closesAfterWrite {
            outbound.closeSocket()
            // Whoever drives the loop until the channel is closed looks at that only after a turn.
            if outbound.isClosed { loop.execute {} }
        }
    }

    func failWriting(_ closing: Closing, _ batch: OutboundQueue.Batch? = nil) {
        let (waiters, discarded) = outbound.withLock { outbound in
            let waiters = outbound.takeWaiters(outbound.queue.fail(closing))
            if let batch { _ = outbound.queue.wrote(0, of: batch, isBlocked: false) }
            if outbound.closesAfterWrite { outbound.closeSocket() }
            return (waiters, outbound.queue.takeDiscarded())
        }
        withExtendedLifetime(discarded) {}
        for waiter in waiters { waiter.resume(with: .failure(ChannelError.closed(closing))) }
        loop.execute { self.closeIfDone() }
    }

    /// The socket takes bytes again. On the loop.
    func becameWritable() {
        let action = outbound.withLock { outbound in
            if outbound.isArmed, let watch = outbound.watch { loop.update(watch, .reading) }
            outbound.isArmed = false
            return outbound.queue.socketBecameWritable()
        }
        if action == .write { write() }
    }
}

extension Channel: TurnParticipant {
    package func turnEnds() {
        outbound.withLock { $0.isTurnEndPlanned = false }
        write()
    }
}
