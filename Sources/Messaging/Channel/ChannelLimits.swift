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
    /// How much credit the peer has for each conversation, and for plain messages before it is given more.
    package var window: Int
    /// How much of plain messages may have come and not been taken.
    package var mainWindow: Int
    /// How many conversations the peer may have open.
    package var ids: Int

    package init(
        messageLimit: Int = 64 << 20, highWaterMark: Int = 1 << 20, queueLimit: Int = 128 << 20,
        acceptsHandles: Bool = true, window: Int = 256 << 10, mainWindow: Int = 1 << 20, ids: Int = 256
    ) {
        self.messageLimit = messageLimit
        self.highWaterMark = highWaterMark
        self.queueLimit = queueLimit
        self.acceptsHandles = acceptsHandles
        self.window = window
        self.mainWindow = mainWindow
        self.ids = ids
    }
}
