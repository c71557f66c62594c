/// How much a channel holds, in bytes, and what it takes.
package struct ChannelLimits: Equatable, Sendable {
    /// The longest message that is read.
    package var messageLimit: Int
    /// Where `send` begins to say that it is time to slow down.
    package var highWaterMark: Int
    /// Where `send` refuses.
    package var queueLimit: Int
    /// Whether the peer's messages may bring handles.
    package var acceptsHandles: Bool

    package init(
        messageLimit: Int = 64 << 20, highWaterMark: Int = 1 << 20, queueLimit: Int = 128 << 20,
        acceptsHandles: Bool = true
    ) {
        self.messageLimit = messageLimit
        self.highWaterMark = highWaterMark
        self.queueLimit = queueLimit
        self.acceptsHandles = acceptsHandles
    }
}
