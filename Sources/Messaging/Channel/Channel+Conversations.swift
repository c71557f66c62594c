internal import Reactor
package import Wire

// Conversations: several messages in both directions under one id. From any thread, but for `took`.
extension Channel {
    /// Opens one by its first message, which is written when its turn has come and the peer allows one more.
    ///
    /// - Parameter isLast: whether this side says no more.
    package func open(
        _ value: some Encodable, _ description: MessageDescription, isLast: Bool = true
    ) throws(ChannelError) -> ConversationKey {
        let message = try encode(value, description, isLast: isLast)
        var key: ConversationKey?
        _ = try accept(message.messageCount) { queue throws(OutboundQueue.AcceptError) in
            key = try queue.open(message)
            return true
        }
        guard let key else { throw .closed(.byThisSide) }
        return key
    }

    /// Says something in a conversation.
    ///
    /// - Returns: whether it was queued: not where the conversation is over.
    @discardableResult
    package func send(
        _ value: some Encodable, in key: ConversationKey, isLast: Bool = true
    ) throws(ChannelError) -> Bool {
        let message = try encode(value, nil, isLast: isLast)
        return try accept(message.messageCount) { queue throws(OutboundQueue.AcceptError) in
            try queue.accept(message, in: key)
        }
    }

    /// Ends this side's direction, after what it has said.
    @discardableResult
    package func end(_ key: ConversationKey) throws(ChannelError) -> Bool {
        try accept(0) { queue throws(OutboundQueue.AcceptError) in try queue.accept(.end, in: key) }
    }

    /// Ends the conversation by an error, after what was said.
    @discardableResult
    package func fail(_ key: ConversationKey, _ failure: some Encodable) throws(ChannelError) -> Bool {
        var message = try encode(failure, nil, isLast: true)
        message.kind = .failure
        return try accept(message.messageCount) { [message] queue throws(OutboundQueue.AcceptError) in
            try queue.accept(message, in: key)
        }
    }

    /// Ends a conversation that the peer has just opened, and that nobody here takes.
    func refuse(_ key: ConversationKey) {
        let failure = Failure(code: Failure.unknownRequest, message: "nobody takes requests here")
        _ = try? fail(key, failure)
        release(key)
    }

    /// Gives a conversation up. What comes of it afterwards is dropped.
    package func cancel(_ key: ConversationKey) {
        var id: UInt64?
        act { queue in
            id = key.isOwn ? queue.conversations.id(of: key) : key.number
            return queue.cancel(key)
        }
        guard let id else { return }
        loop.execute {
            self.inbound.queue.forget(id)
            self.pump()
        }
    }

    /// A message of a conversation has been dealt with. On the loop.
    package func took(_ key: ConversationKey, cost: UInt64) {
        guard let id = key.isOwn ? outbound.withLock({ $0.queue.conversations.id(of: key) }) : key.number else {
            return
        }
        inbound.queue.took(id, cost)
        pump()
    }

    /// Nobody works any more on a conversation that the peer has opened; the peer may open another one.
    package func release(_ key: ConversationKey) {
        if key.isOwn { return }
        act { $0.release(key) }
    }

    /// Asks for a pong. Of several that are not written yet only the last is.
    package func ping(_ payload: UInt64) {
        say { $0.ping(payload) }
        try? loop.ensureDriven()
    }

    private func encode(
        _ value: some Encodable, _ description: MessageDescription?, isLast: Bool
    ) throws(ChannelError) -> OutboundMessage {
        if !dialect.isNative { throw .conversationsNotSupported }
        var bytes: [UInt8] = []
        do {
            try FrameEncoder.appendMessage(value, description: description, to: &bytes)
        } catch {
            throw .notEncodable(error)
        }
        var flags: FrameFlags = isLast ? [] : .open
        if description != nil { flags.insert(.meta) }
        return OutboundMessage(kind: .message, bytes: bytes, flags: flags)
    }
}
