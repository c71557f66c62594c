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
        act { $0.finish(closing) }
    }

    /// Throws away what is queued, because nobody can read it any more.
    package func failWriting(_ closing: Closing) {
        failWriting(closing, nil)
    }

    /// How long an abort may wait for the socket.
    private static let patienceForAbort = Duration.seconds(1)

    /// Tells the peer why the channel ends here, and ends it. On the loop.
    func abort(_ error: WireError) {
        guard dialect.isNative else { return failWriting(.protocolViolation) }
        write(Abort(message: error.description))
        _ = loop.schedule(after: Self.patienceForAbort) { self.failWriting(.protocolViolation) }
    }

    private func write(_ abort: Abort) {
        guard dialect.isNative, let frame = try? abort.frame() else { return }
        var ids: [UInt64] = []
        act { queue in
            let (action, failed) = queue.abort(with: frame, .protocolViolation)
            ids = failed
            return action
        }
        for waiter in outbound.withLock({ $0.takeWaiters(ids) }) {
            waiter.resume(with: .failure(ChannelError.closed(.protocolViolation)))
        }
    }

    /// Tells the peer, when this side has no more to send, that nothing has taken the messages that it sent. On the
    /// loop.
    package func complainOfUnread() {
        if !hasHadConsumer.load(ordering: .relaxed), inbound.queue.hasUnread { complain() }
    }

    /// The same at the end of the process, from any thread.
    package func complainOfUnreadAtExit() {
        if hasHadConsumer.load(ordering: .relaxed) { return }
        // Where nobody drives the loop, nobody has read them.
        readWhatIsThere()
        if hasUnread.load(ordering: .relaxed) { complain() }
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
        if inbound.queue.hasReceived || !dialect.isNative && !inbound.queue.hasPeerLeftUnread { return false }
        return outbound.withLock { $0.hasSentMessages }
    }

    /// Gives the channel up before anything has used it. From any thread.
    package func discard() {
        failWriting(.byThisSide)
        // On the loop, which may be reading from the socket.
        loop.execute {
            self.inbound.queue.discard()
            self.inbound.keptDelegate = nil
            self.closeIfDone()
        }
    }

    /// Closes the socket once nothing more is to be read or written. On the loop.
    func closeIfDone() {
        guard inbound.queue.isExhausted else { return }
        let watch = outbound.withLock { outbound -> MessageLoop.Watch? in
            guard outbound.queue.isEnded, outbound.socket != nil else { return nil }
            defer { outbound.watch = nil }
            return outbound.watch
        }
        guard let watch else { return }
        inbound.queue.stopReading()
        loop.unwatch(watch)
        outbound.withLock { $0.closeSocket() }
    }
}
