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
        // The peer takes no new ones.
        if !conversations.maySomedayOpen { throw .closed(.byPeer) }
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
        progress.accepted(message.queuedCount)
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

    /// A frame with an id that is not 0 has come, as far as its header.
    mutating func receive(_ frame: FrameHeader) throws(WireError) -> (Conversations.Verdict, ConversationKey?) {
        let before = conversations.key(of: frame.id)
        let verdict = try conversations.receive(frame)
        let key = before ?? conversations.key(of: frame.id)
        if verdict == .opening, let key {
            if !mayAnswer {
                // It has crossed the end of this side, which owes a message here: it is over for both.
                conversations.remove(frame.id)
                conversations.release(key)
                return (.late, nil)
            }
            lanes[key] = OutboundLane(id: frame.id, credit: newCredit)
            allowMore()
        }
        return (verdict, key)
    }

    /// Something has come as a whole in a conversation. Where that ends it, what this side has queued for it is thrown
    /// away.
    mutating func received(_ event: ConversationEvent, in key: ConversationKey) -> Action {
        guard let id = conversations.id(of: key) else { return nextAction() }
        switch event {
        case .message(_, _, isLast: true, _), .lost(_, _, isLast: true), .ended:
            conversations.endThere(id)
        case .failed, .cancelled:
            _ = discard(key)
            control.forget(id)
            conversations.remove(id)
        case .message, .lost, .abandoned:
            break
        }
        return nextAction()
    }

    /// Lets the peer open more, where there is room for that and it is time to say so.
    mutating func allowMore() {
        if let highest = conversations.grant() { control.allowIDs(upTo: highest) }
    }

    /// Nobody works any more on a conversation that the peer has opened.
    mutating func release(_ key: ConversationKey) -> Action {
        conversations.release(key)
        return nextAction()
    }

    /// The peer says nothing more. Returns the conversations that are over by that.
    mutating func peerEnded() -> [ConversationKey] {
        var over: [ConversationKey] = []
        for (id, key) in conversations.peerEnded() {
            _ = discard(key)
            control.forget(id)
            over.append(key)
        }
        let waiting = keysWithoutID
        for key in waiting { _ = discard(key) }
        return over + waiting
    }
}
