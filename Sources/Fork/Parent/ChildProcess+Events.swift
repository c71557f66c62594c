extension ChildProcess {
    /// Calls the handler soon, on the child's loop: when `fork` returns the child has been started.
    @discardableResult
    public func onSpawn(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        connection.onSpawn(handler)
    }

    /// Calls the handler with each message of the child, on the child's loop.
    ///
    /// Nothing is read before the first handler or sequence is there, so none is missed; several handlers each get all
    /// messages, in the order in which they were attached. What a handler throws becomes an error event.
    @discardableResult
    public func onMessage(_ handler: @escaping @Sendable (Message) throws -> Void) -> Subscription {
        connection.onMessage(handler)
    }

    /// Calls the handler with each message, decoded. A message that does not fit the type becomes an error event
    /// with the code `invalidMessage`; for messages of several types use one `enum`, or decode in `onMessage`.
    @discardableResult
    public func onMessage<Value: Decodable & SendableMetatype>(
        of type: Value.Type, _ handler: @escaping @Sendable (Value) throws -> Void
    ) -> Subscription {
        connection.onMessage(of: type, handler)
    }

    /// Calls the handler when something goes wrong. The first sixteen errors that nobody was there to hear are kept for
    /// the first handler.
    @discardableResult
    public func onError(_ handler: @escaping @Sendable (ForkError) -> Void) -> Subscription {
        connection.onError(handler)
    }

    /// Calls the handler when the channel has closed and all messages before that have been delivered; at once if
    /// that is so already. A sequence has them delivered when they are in its buffer.
    ///
    /// Messages that nobody has asked for hold this event and the later ones back for a second, and no longer.
    @discardableResult
    public func onDisconnect(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        connection.onDisconnect(handler)
    }

    /// Calls the handler when the child has ended, after its last message and the disconnect; at once where that is so
    /// already.
    @discardableResult
    public func onExit(_ handler: @escaping @Sendable (ExitStatus) throws -> Void) -> Subscription {
        connection.onExit(handler)
    }

    /// Calls the handler after every other event of the child, and after the end of every piped output that somebody
    /// reads; at once if that is so already.
    ///
    /// Bytes of an output that nobody has asked for hold this event back for a second, and no longer.
    @discardableResult
    public func onClose(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        connection.onClose(handler)
    }

    /// The child's messages, until it disconnects. A consumer that is slow slows the child.
    public var messages: MessageSequence { MessageSequence(connection: connection) }

    /// The child's messages as values of one type, until it disconnects.
    public func messages<Value: Decodable>(of type: Value.Type) -> DecodedMessageSequence<Value> {
        DecodedMessageSequence(messages: messages)
    }

    /// All that happens to the child, in order, until its close event.
    public var events: EventSequence { EventSequence(connection: connection) }
}
