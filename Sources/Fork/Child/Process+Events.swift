extension Process {
    /// Calls the handler with each message of the parent, in `serve()`.
    ///
    /// Nothing is read before the first handler or sequence is there, so none is missed. What a handler throws becomes
    /// an error event. In a program that nobody forked the handler is never called.
    @discardableResult
    public static func onMessage(_ handler: @escaping @Sendable (Message) throws -> Void) -> Subscription {
        ParentConnection.current?.connection.onMessage(handler) ?? .unattached
    }

    /// Calls the handler with each message, decoded. A message that does not fit the type becomes an error event
    /// with the code `invalidMessage`; for messages of several types use one `enum`, or decode in `onMessage`.
    @discardableResult
    public static func onMessage<Value: Decodable & SendableMetatype>(
        of type: Value.Type, _ handler: @escaping @Sendable (Value) throws -> Void
    ) -> Subscription {
        ParentConnection.current?.connection.onMessage(of: type, handler) ?? .unattached
    }

    /// Calls the handler when something goes wrong: a message that can't be read, a handler that threw, a parent that
    /// breaks the protocol. The first sixteen errors that nobody was there to hear are kept for the first handler.
    @discardableResult
    public static func onError(_ handler: @escaping @Sendable (ForkError) -> Void) -> Subscription {
        ParentConnection.current?.connection.onError(handler) ?? .unattached
    }

    /// Calls the handler when the parent has disconnected or is gone, after the last message. What it sends to a parent
    /// that is there still arrives.
    @discardableResult
    public static func onDisconnect(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        ParentConnection.current?.connection.onDisconnect(handler) ?? .unattached
    }

    /// The parent's messages, until it disconnects. A consumer that is slow slows the parent. Iterating starts a thread
    /// for the channel, unless `serve()` is running on one.
    public static var messages: MessageSequence { MessageSequence(connection: ParentConnection.current?.connection) }

    /// The parent's messages as values of one type, until it disconnects.
    public static func messages<Value: Decodable>(of type: Value.Type) -> DecodedMessageSequence<Value> {
        DecodedMessageSequence(messages: messages)
    }
}
