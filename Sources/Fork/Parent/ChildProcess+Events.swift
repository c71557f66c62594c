extension ChildProcess {
    /// What happens to a child. Each but `message` and `error` happens at most once, in the order of the cases.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Event: Sendable {
        /// It has been started.
        case spawn
        /// It has sent a message.
        case message(Message)
        /// Something went wrong: a message that can't be read, a handler that threw, a child that breaks the protocol.
        case error(ForkError)
        /// No more messages will come, and none can be sent.
        case disconnect
        /// Its process has ended. All that it sent before has been delivered.
        case exit(ExitStatus)
        /// Nothing more will happen.
        case close
    }

    /// Calls the handler once the child has been started; at once where that is so already, which it always is.
    @discardableResult
    public func onSpawn(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        emitter.handle(.spawn) { _ in try handler() }
    }

    /// Calls the handler with each message of the child, on the child's loop.
    ///
    /// Nothing is read before the first handler or sequence is there, so none is missed; several handlers each get all
    /// messages, in the order in which they were attached. What a handler throws becomes an error event.
    @discardableResult
    public func onMessage(_ handler: @escaping @Sendable (Message) throws -> Void) -> Subscription {
        emitter.handle(.message) { event in
            if case .message(let message) = event { try handler(message) }
        }
    }

    /// Calls the handler with each message, decoded. A message that does not fit the type becomes an error event
    /// with the code `invalidMessage`.
    @discardableResult
    public func onMessage<Value: Decodable & SendableMetatype>(
        of type: Value.Type, _ handler: @escaping @Sendable (Value) throws -> Void
    ) -> Subscription {
        onMessage { try handler($0.decodeForHandler(type)) }
    }

    /// Calls the handler when something goes wrong. The first sixteen errors that nobody was there to hear are kept for
    /// the first handler.
    @discardableResult
    public func onError(_ handler: @escaping @Sendable (ForkError) -> Void) -> Subscription {
        emitter.handle(.error) { event in
            if case .error(let error) = event { handler(error) }
        }
    }

    /// Calls the handler when the channel has closed and all messages before that have been delivered; at once where
    /// that is so already. A sequence has them delivered when they are in its buffer.
    ///
    /// Messages that nobody has asked for hold this event and the later ones back for a second, and no longer.
    @discardableResult
    public func onDisconnect(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        emitter.handle(.disconnect) { _ in try handler() }
    }

    /// Calls the handler when the child has ended, after its last message and the disconnect; at once where that is so
    /// already.
    @discardableResult
    public func onExit(_ handler: @escaping @Sendable (ExitStatus) throws -> Void) -> Subscription {
        emitter.handle(.exit) { event in
            if case .exit(let status) = event { try handler(status) }
        }
    }

    /// Calls the handler after every other event of the child, and after the end of every piped output that somebody
    /// reads; at once where that is so already.
    ///
    /// Bytes of an output that nobody has asked for hold this event back for a second, and no longer.
    @discardableResult
    public func onClose(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        emitter.handle(.close) { _ in try handler() }
    }

    /// The child's messages, until it disconnects. A consumer that is slow slows the child.
    public var messages: MessageSequence { MessageSequence(source: self) }

    /// The child's messages as values of one type, until it disconnects.
    public func messages<Value: Decodable>(of type: Value.Type) -> DecodedMessageSequence<Value> {
        DecodedMessageSequence(messages: messages)
    }

    /// All that happens to the child, in order, until its close event.
    public var events: EventSequence { EventSequence(source: self) }
}
