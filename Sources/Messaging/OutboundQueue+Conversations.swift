internal import Wire

// Conversations, as far as they are this side's to write.
extension OutboundQueue {
    enum ConversationError: Error, Equatable {
        /// It has ended, by either side, or this side has said its last message.
        case over
    }

    /// Queues the message that opens a conversation.
    mutating func open(_ message: consuming OutboundMessage) throws(AcceptError) -> ConversationKey {
        try checkRoom(for: message.bytes.count)
        lastOwnKey += 1
        let key = ConversationKey(isOwn: true, number: lastOwnKey)
        lanes[key] = OutboundLane(id: nil, credit: newCredit)
        append(message, to: key)
        return key
    }

    private var newCredit: SendingCredit {
        SendingCredit(limit: peerLimits?.window ?? Hello.Limits.floor.window)
    }

    /// Queues a message of a conversation that has been opened by either side. Nil where it is over.
    ///
    /// - Returns: whether it was queued.
    mutating func accept(_ message: consuming OutboundMessage, in key: ConversationKey) throws(AcceptError) -> Bool {
        // Replies are taken while this side finishes: it ends when it owes nothing.
        if case .finishing = state {} else { try checkRoom(for: message.bytes.count) }
        guard let lane = lanes[key], !lane.hasLast else { return false }
        append(message, to: key)
        return true
    }

    private mutating func append(_ message: consuming OutboundMessage, to key: ConversationKey) {
        progress.accepted(message.kind.isControl ? 0 : message.bodyCount)
        lanes[key]?.append(message, epoch: progress.epoch)
        enqueue(.conversation(key))
    }

    /// Gives a conversation up.
    mutating func cancel(_ key: ConversationKey) -> Action {
        let id = discard(key) ?? (key.isOwn ? conversations.id(of: key) : key.number)
        guard let id, conversations.key(of: id) == key else { return nextAction() }
        conversations.remove(id)
        control.forget(id)
        cancelled.append(id)
        return nextAction()
    }

    /// A frame with an id that is not 0 has come. Where it ends the conversation, what this side has queued for it is
    /// thrown away.
    mutating func receive(_ frame: FrameHeader) throws(WireError) -> (Conversations.Verdict, ConversationKey?) {
        let before = conversations.key(of: frame.id)
        let verdict = try conversations.receive(frame)
        let key = before ?? conversations.key(of: frame.id)
        if verdict == .opening, let key { lanes[key] = OutboundLane(id: frame.id, credit: newCredit) }
        if frame.kind == .cancel || frame.kind == .failure && !frame.hasMore, let key { _ = discard(key) }
        return (verdict, key)
    }

    /// The peer says nothing more. Returns the conversations that are over by that.
    mutating func peerEnded() -> [ConversationKey] {
        var over: [ConversationKey] = []
        for (id, key) in conversations.peerEnded() {
            _ = discard(key)
            control.forget(id)
            over.append(key)
        }
        let waiting = lanes.filter { $0.value.id == nil }.keys.sorted { $0.number < $1.number }
        for key in waiting { _ = discard(key) }
        return over + waiting
    }
}
