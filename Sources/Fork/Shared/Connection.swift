internal import Messaging
internal import Reactor

/// This program's end of a channel, with all who listen to it.
///
/// It is the only delegate of the channel, and the only place where a `ChannelError` becomes a `ForkError`. It knows of
/// the process at the other end only whether that is a child or the parent; the rest belongs to `ChildProcess` and
/// `ParentConnection`.
final class Connection: Sendable {
    /// What is at the other end.
    enum Peer {
        /// A process that this program has started. Its exit is an event. Nothing is sent after it has disconnected.
        case child
        /// The parent. After it has disconnected, this side sends until all of its messages have been dealt with.
        case parent
    }

    let channel: Channel
    let emitter: EventEmitter
    private let peer: Peer
    /// How many go on sending after the parent has disconnected and its last message has been dealt with.
    private let lateSenders = Locked(0)

    /// - Parameters:
    ///   - outputUses: how the child's piped outputs are used, which its last event waits for.
    ///   - reportUnheard: is told of the errors that nobody hears.
    init(
        _ channel: Channel, to peer: Peer, outputUses: @escaping @Sendable () -> [OutputUse] = { [] },
        reportUnheard: @escaping @Sendable (ForkError) -> Void
    ) {
        self.channel = channel
        self.peer = peer
        emitter = EventEmitter(
            channel, hasProcess: peer == .child, outputUses: outputUses, reportUnheard: reportUnheard)
    }

    deinit {
        emitter.connectionHasGone()
    }

    /// Begins to watch the channel, which keeps the connection until it is closed.
    func start() throws(Errno) {
        emitter.connection = self
        try channel.start(delegate: self)
    }

    var loop: MessageLoop { channel.loop }

    /// Whether messages can be sent.
    var isOpen: Bool { channel.closing == nil }

    /// Closes this side's direction after all that was sent before.
    func disconnect() {
        channel.close()
    }

    // MARK: The end

    /// The child has ended. On the loop.
    func childEnded(_ status: ChildProcess.ExitStatus) {
        channel.peerProcessEnded()
        if case .exited = status, channel.hasPeerTakenNothing { emitter.failed(.notTaken(status)) }
        emitter.exited(status)
    }

    /// Whether everything has been received, dealt with and sent. On the loop.
    func isDone() -> Bool {
        finishIfConsumed()
        return emitter.isFinished && channel.isClosed
    }

    /// A consumer has seen the end, or has gone. On the loop.
    func consumersProgressed() {
        if emitter.isDelivered { finishIfConsumed() }
    }

    /// Keeps this side's direction open after the parent's end, until `lateSenderEnded`.
    func lateSenderBegan() {
        lateSenders.withLock { $0 += 1 }
    }

    /// On the loop.
    func lateSenderEnded() {
        lateSenders.withLock { $0 -= 1 }
        consumersProgressed()
    }

    /// After the parent's end this side goes on sending until the last message has been dealt with, and until the late
    /// senders have ended: a child can answer all of its work, and send what it made of it.
    private func finishIfConsumed() {
        guard peer == .parent, emitter.isFinished, emitter.isConsumed, lateSenders.withLock({ $0 == 0 }) else { return }
        channel.complainOfUnread()
        channel.finishAfterPeer()
    }
}

extension Connection: ChannelDelegate {
    // `consuming`, here and in the emitter: a copy of the message would cost about 190 instructions.
    func channelReceived(_ message: consuming InboundMessage) {
        emitter.received(consume message)
    }

    func channelFailed(_ error: ChannelError) {
        emitter.failed(ForkError(error))
    }

    func channelExhausted(hasUnread: Bool) {
        switch peer {
        case .child:
            channel.finishAfterPeer()
            emitter.exhausted(hasUnread: hasUnread)
        case .parent:
            // Whoever serves has attached its handlers: messages that nobody has asked for by now are not waited for.
            emitter.exhausted(hasUnread: false)
        }
    }

    func channelDelivered() {
        emitter.delivered()
        finishIfConsumed()
    }
}
