package import JSONCodec
package import Reactor
internal import Synchronization
package import SystemPackage
package import Wire

/// A message as it came, read and checked.
package struct InboundMessage: Sendable {
    package enum Content: Sendable {
        case json(JSONDocument)
        case bytes([UInt8])
    }

    package let content: Content
    /// The handles that came with it; closed with the message, unless somebody takes them.
    package let handles: SharedDescriptors?
    /// How long it was on the wire, without headers.
    package let byteCount: Int

    /// What it counts in a buffer: a handle is a scarcer thing than a byte.
    package var cost: Int { byteCount + 4096 * (handles?.count ?? 0) }
}

/// Who owns a channel and hears of it, always on its loop.
package protocol ChannelDelegate: AnyObject, Sendable {
    func channelReceived(_ message: InboundMessage)
    func channelFailed(_ error: ChannelError)
    /// All that the peer wrote has been read from the kernel. Where nobody consumes messages some may still be kept
    /// here, as `hasUnread` says. The peer may still read; `Channel.finishAfterPeer` ends this side's direction too.
    func channelExhausted(hasUnread: Bool)
    /// All that the peer wrote has been delivered; nothing more will come.
    func channelDelivered()
}

/// One duplex message channel over a connected Unix stream socket.
///
/// Sending is for any thread and never waits. Reading happens on the loop, and only while there is a consumer that is
/// not saturated; until then the kernel holds the messages, and, once it is full, the sender.
package final class Channel: Sendable {
    package let loop: MessageLoop
    package let limits: ChannelLimits
    package let dialect: Dialect
    let outbound: Locked<Outbound>
    let inbound: Inbound
    /// Valid while a batch is out or the loop has not closed the channel; see `Outbound.socket`.
    let descriptor: CInt
    /// Whether the peer's hello was there when the channel was made, and has been read.
    let hasReadHello: Bool
    let hasHadConsumer = Atomic<Bool>(false)

    /// Begins with this side's hello, in the dialect that has one. Nothing is watched or read before `start`.
    ///
    /// - Parameter adoptsPeerLimit: reads messages as long as the peer's own limit says, which is how a child gets the
    ///   limits that its parent was given.
    package init(
        socket: consuming Descriptor, loop: MessageLoop, limits: ChannelLimits, dialect: Dialect = .native,
        adoptsPeerLimit: Bool = false
    ) throws {
        self.loop = loop
        descriptor = socket.rawValue
        var limits = limits
        self.dialect = dialect
        inbound = Inbound(
            dialect: dialect, messageLimit: limits.messageLimit, acceptsHandles: limits.acceptsHandles)
        let peerHello = adoptsPeerLimit && dialect == .native ? inbound.readHello(from: descriptor) : nil
        if let peerHello {
            limits.messageLimit = peerHello.limits.message
            inbound.decoder.messageLimit = peerHello.limits.message
        }
        self.limits = limits
        hasReadHello = peerHello != nil
        outbound = Locked(Outbound(socket: socket, limits: limits, dialect: dialect))
        if let peerHello { adopt(peerHello) }
        if dialect == .native { try sendHello() }
    }

    private func sendHello() throws {
        do {
            let hello = Hello(
                messageLimit: limits.messageLimit, features: limits.acceptsHandles ? [Hello.handlesFeature] : [])
            _ = try submit(.frame(try hello.frame()), 0)
            outbound.withLock { $0.openingCount = $0.queue.acceptedPosition }
        } catch ChannelError.closed {
            // The peer is gone already. What it wrote before is there to be read, and its end to be told.
        }
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

    func adopt(_ hello: Hello) {
        outbound.withLock { outbound in
            outbound.peerMessageLimit = hello.limits.message
            outbound.peerTakesHandles = hello.features.contains(Hello.handlesFeature)
        }
    }
}
