package import Reactor
internal import Synchronization
package import SystemPackage
package import Wire

/// Who owns a channel and hears of it, always on its loop.
package protocol ChannelDelegate: AnyObject, Sendable {
    func channelReceived(_ message: consuming InboundMessage)
    func channelFailed(_ error: ChannelError)
    /// All that the peer said has been read from the kernel. Where nobody consumes messages some may still be kept
    /// here, as `hasUnread` says. This side may go on; `Channel.finishAfterPeer` ends its direction too.
    func channelExhausted(hasUnread: Bool)
    /// All that the peer said has been delivered; nothing more will come.
    func channelDelivered()
    /// Something has happened in a conversation.
    func channel(_ channel: Channel, _ key: ConversationKey, _ event: ConversationEvent)
    /// The peer has answered a ping.
    func channelPonged(_ payload: UInt64)
}

extension ChannelDelegate {
    /// For those who take no conversations: what the peer opens is refused.
    package func channel(_ channel: Channel, _ key: ConversationKey, _ event: ConversationEvent) {
        switch event {
        case .message(_, isOpening: true, _, _), .lost(_, isOpening: true, _):
            channel.refuse(key)
        case .message(_, _, _, let cost):
            channel.took(key, cost: cost)
        case .lost, .ended, .failed, .cancelled, .abandoned:
            break
        }
    }

    package func channelPonged(_ payload: UInt64) {}
}

/// One duplex message channel over a connected Unix stream socket.
///
/// Sending is for any thread and never waits. Reading happens on the loop. Messages that nobody takes, because there is
/// no consumer or it is saturated, are kept as far as the peer's credit goes; in the Node dialect, which has no credit,
/// the kernel keeps them, and, once it is full, the sender.
///
/// The rules are those of two values, `InboundQueue` and `OutboundQueue`. The channel does what they say.
package final class Channel: Sendable {
    package let loop: MessageLoop
    package let limits: ChannelLimits
    package let dialect: Dialect
    let outbound: Locked<Outbound>
    let inbound: Inbound
    /// Valid while a batch is out or the loop has not closed the channel; see `Outbound.socket`.
    let descriptor: CInt
    let hasHadConsumer = Atomic<Bool>(false)
    /// Whether there are messages that nobody takes.
    let hasUnread = Atomic<Bool>(false)

    /// Begins with this side's hello, in the dialect that has one. Nothing is watched or read before `start`.
    ///
    /// - Parameter isMaker: whether this side has made the channel, and opens the odd conversations.
    package init(
        socket: consuming Descriptor, loop: MessageLoop, limits: ChannelLimits, dialect: Dialect = .native,
        isMaker: Bool = true
    ) throws {
        self.loop = loop
        self.limits = limits
        self.dialect = dialect
        descriptor = socket.rawValue
        inbound = Inbound(InboundQueue(dialect: dialect, limits: limits))
        outbound = Locked(Outbound(socket: socket, limits: limits, dialect: dialect, isMaker: isMaker))
        if dialect.isNative { try sendHello() }
    }

    private func sendHello() throws {
        let hello = Hello(
            limits: Hello.Limits(message: limits.messageLimit, window: limits.window, ids: limits.ids),
            features: limits.acceptsHandles ? [Hello.handlesFeature] : [])
        let frame = try hello.frame()
        say { $0.hello(frame) }
    }

    /// Begins to watch the socket. The delegate is kept until the socket is closed, and after that while there is a
    /// consumer for messages that were read before.
    package func start(delegate: any ChannelDelegate) throws(Errno) {
        inbound.delegate = delegate
        let handler: @Sendable (Readiness) -> Void = { [self, delegate] readiness in
            // Held, because the channel itself refers to it only weakly.
            defer { withExtendedLifetime(delegate) {} }
            if readiness.isWritable { becameWritable() }
            becameReadable(readiness)
        }
        let isBlocked = try outbound.withLock { outbound throws(Errno) in
            // Under the lock: the peer's end can be told at once, and then the watch must be known to be given up.
            outbound.watch = try loop.watch(descriptor, handler)
            // The hello may have found the socket full: a child's socket is as its parent left it.
            return !outbound.queue.isEmpty
        }
        if isBlocked { arm() }
    }

    /// Why the channel takes no more messages, or nil while it does.
    package var closing: Closing? { outbound.withLock { $0.queue.closing } }

    /// How many messages were accepted and then thrown away, because the channel ended before they were written.
    package var lostMessageCount: Int { outbound.withLock { $0.queue.lostCount } }

    /// Whether the socket has been closed, with nothing left to read from it or to write.
    package var isClosed: Bool { outbound.withLock { $0.isClosed } }
}
