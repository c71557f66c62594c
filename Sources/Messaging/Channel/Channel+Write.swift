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
                if batch.first.handles != nil { handlesWereSent() }
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
    private func refuse(_ batch: WriteBatch, _ error: Errno) -> OutboundQueue.Action {
        let (action, waiters, abandoned) = outbound.withLock { outbound in
            let (action, failed) = outbound.queue.refused(batch)
            perform(action, &outbound)
            return (action, outbound.takeWaiters(failed), outbound.queue.takeAbandoned())
        }
        for waiter in waiters { waiter.resume(with: .failure(ChannelError.handlesRefused(error))) }
        loop.execute { self.inbound.delegate?.channelFailed(.handlesRefused(error)) }
        tell(abandoned)
        return action
    }

    /// Where what is left waits for the peer's credit, somebody has to read that.
    private func complete(_ batch: inout WriteBatch, written: Int) -> OutboundQueue.Action {
        let isBlocked = written < batch.count
        let (action, waiters, awaitsPeer) = outbound.withLock { outbound in
            let (action, finished) = outbound.queue.wrote(written, of: batch, isBlocked: isBlocked)
            perform(action, &outbound)
            if !isBlocked { outbound.keepSpare(batch.takeFirstBytes()) }
            return (action, outbound.takeWaiters(finished), outbound.queue.awaitsPeer)
        }
        for waiter in waiters { waiter.resume(with: .success(())) }
        if awaitsPeer { try? loop.ensureDriven() }
        return action
    }

    /// Changes the queue, does what that means for the socket, and writes what can be written.
    func act(
        _ change: (inout OutboundQueue) -> OutboundQueue.Action, alsoChanging other: (inout Outbound) -> Void = { _ in }
    ) {
        let (action, waiters, discarded, abandoned) = outbound.withLock { outbound in
            other(&outbound)
            let action = change(&outbound.queue)
            perform(action, &outbound)
            let finished = outbound.queue.takeFinishedWaiters()
            return (
                action, outbound.takeWaiters(finished), outbound.queue.takeDiscarded(), outbound.queue.takeAbandoned()
            )
        }
        // Handles are closed only now, outside the lock.
        withExtendedLifetime(discarded) {}
        for waiter in waiters { waiter.resume(with: .success(())) }
        tell(abandoned)
        if action == .write { write() }
    }

    /// These conversations are over; on the loop, whoever has found that.
    private func tell(_ abandoned: [ConversationKey]) {
        if abandoned.isEmpty { return }
        loop.execute {
            for key in abandoned { self.tell(key, .abandoned) }
        }
    }

    /// Queues a control frame.
    func say(_ change: (inout ControlFrames) -> Void) {
        act { $0.say(change) }
    }

    /// What an action means for the socket; under the lock, so that nobody closes it meanwhile.
    func perform(_ action: OutboundQueue.Action, _ outbound: inout Outbound) {
        switch action {
        case .none, .write: break
        case .endStream:
            if let number = outbound.socket?.rawValue { System.shutdownWriting(number) }
            loop.execute { self.closeIfDone() }
        case .ended, .close:
            loop.execute { self.closeIfDone() }
        }
        if outbound.closesAfterWrite {
            outbound.closeSocket()
            // Whoever drives the loop until the channel is closed looks at that only after a turn.
            if outbound.isClosed { loop.execute {} }
        }
    }

    /// In the Node dialect somebody has to read the acknowledgement, whether or not anybody takes messages.
    private func handlesWereSent() {
        guard !dialect.isNative else { return }
        loop.execute {
            self.inbound.queue.awaitsAnswer = self.outbound.withLock { $0.queue.isHeldBack }
            self.pump()
        }
        try? loop.ensureDriven()
    }

    func failWriting(_ closing: Closing, _ batch: WriteBatch? = nil) {
        let (waiters, discarded, abandoned) = outbound.withLock { outbound in
            let waiters = outbound.takeWaiters(outbound.queue.fail(closing))
            if let batch { _ = outbound.queue.wrote(0, of: batch, isBlocked: false) }
            if outbound.closesAfterWrite { outbound.closeSocket() }
            return (waiters, outbound.queue.takeDiscarded(), outbound.queue.takeAbandoned())
        }
        withExtendedLifetime(discarded) {}
        for waiter in waiters { waiter.resume(with: .failure(ChannelError.closed(closing))) }
        tell(abandoned)
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
