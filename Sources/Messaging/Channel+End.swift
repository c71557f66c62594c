internal import Reactor
internal import Synchronization
internal import Wire

extension Channel {
    /// Takes no more messages, writes what is queued, and then ends this side's direction of the stream. The peer's
    /// messages go on arriving until it does the same.
    package func close() {
        finish(.byThisSide)
    }

    /// Does the same because the peer has done so.
    package func finishAfterPeer() {
        finish(.byPeer)
    }

    private func finish(_ closing: Closing) {
        let action = outbound.withLock { outbound in
            let action = outbound.queue.finish(closing)
            perform(action, &outbound)
            return action
        }
        if action == .write { write() }
    }

    /// Throws away what is queued, because nobody can read it any more.
    package func failWriting(_ closing: Closing) {
        failWriting(closing, nil)
    }

    /// Tells the peer why the channel ends here, as far as that is possible without waiting, and ends it.
    func abort(_ error: WireError) {
        write(Abort(message: error.description))
        failWriting(.protocolViolation)
    }

    private func write(_ abort: Abort) {
        guard dialect == .native, let frame = try? abort.frame() else { return }
        let action = outbound.withLock { outbound in
            let action = outbound.queue.abort(with: frame)
            perform(action, &outbound)
            return action
        }
        if action == .write { write() }
    }

    /// Tells the peer, when this side has no more to send, that nothing has taken the messages that it sent. On the
    /// loop.
    package func complainOfUnread() {
        if !hasHadConsumer.load(ordering: .relaxed), inbound.hasUnread { complain() }
    }

    /// The same at the end of the process, if they have not been read from the socket.
    package func complainOfUnreadAtExit() {
        guard hasReadHello, !hasHadConsumer.load(ordering: .relaxed),
            // Under the lock: so long nobody closes the socket.
            outbound.withLock({ $0.socket != nil && System.hasBytes(descriptor) })
        else { return }
        complain()
    }

    private func complain() {
        write(
            Abort(
                code: Abort.notTaken,
                message: """
                    The child has ended, and took none of the messages that were sent to it: \
                    did it call Process.serve()?
                    """))
    }

    /// Whether a peer whose process has ended has had messages and never gave a sign of having read one. On the loop.
    package var hasPeerTakenNothing: Bool {
        if inbound.hasReceived || dialect == .node && !inbound.hasPeerLeftUnread { return false }
        return outbound.withLock { $0.hasSentMessages }
    }

    /// Gives the channel up before anything has used it. From any thread.
    package func discard() {
        failWriting(.byThisSide)
        // On the loop, which may be reading from the socket.
        loop.execute {
            self.inbound.isExhausted = true
            self.inbound.isDelivered = true
            self.inbound.keptDelegate = nil
            self.closeIfDone()
        }
    }

    /// Closes the socket once nothing more is to be read or written. On the loop.
    func closeIfDone() {
        guard inbound.isExhausted else { return }
        let watch = outbound.withLock { outbound -> MessageLoop.Watch? in
            guard outbound.queue.isEnded, outbound.socket != nil else { return nil }
            defer { outbound.watch = nil }
            return outbound.watch
        }
        guard let watch else { return }
        loop.unwatch(watch)
        outbound.withLock { $0.closeSocket() }
    }
}
