internal import DequeModule
internal import Wire

// What is thrown away: counted, and kept until the owner lets go of its handles.
extension OutboundQueue {
    mutating func takeDiscarded() -> Deque<OutboundHandles> {
        defer { discarded = [] }
        return discarded
    }

    mutating func discardAll() {
        for chunk in ready {
            lostCount += chunk.messageCount
            keep(chunk.handles)
        }
        ready.removeAll()
        for entry in main.removeAll() { discard(entry) }
        for key in Array(lanes.keys) {
            for entry in lanes[key]?.removeAll() ?? [] { discard(entry) }
        }
        lanes.removeAll()
        turns.removeAll()
        unopened.removeAll()
    }

    private mutating func discard(_ entry: (message: OutboundMessage, epoch: UInt64, count: Int)) {
        if !entry.message.kind.isControl { lostCount += 1 }
        keep(entry.message.handles)
    }

    private mutating func keep(_ handles: OutboundHandles?) {
        if let handles { discarded.append(handles) }
    }

    /// Throws away what is left of a message whose first chunk has been given up, and with it the conversation that it
    /// belongs to.
    mutating func discardRest(of first: Chunk) {
        let id = first.content == .lines ? 0 : FrameEncoder.id(in: first.bytes)
        if first.content == .header, let body = ready.popFirst() {
            progress.finished(body.count, epoch: body.epoch)
            // Handles ride with the first frame, so no other of the message has been cut.
            if id == 0, body.content == .body(isLast: false) { discardFirstOfMain() }
        }
        guard id != 0 else { return }
        if let key = conversations.key(of: id) { _ = discard(key) }
        conversations.remove(id)
        // The id may be new, and none may be skipped: a message that says nothing, and then the end of it.
        ready.insert(Chunk(FrameEncoder.emptyOpening(id) + FrameEncoder.control(.cancel, id: id), .control), at: 0)
    }

    mutating func discardFirstOfMain() {
        let count = main.first.map(\.bodyCount) ?? 0
        let cut = main.cutCountOfFirst
        let entry = main.removeFirst()
        progress.finished(count - cut, epoch: entry.epoch)
        if cut == 0 { lostCount += 1 }
        keep(entry.message.handles)
        if main.isQueued, main.isEmpty {
            main.isQueued = false
            turns.removeAll { $0 == .main }
        }
    }

    /// Throws away what a conversation has queued. Returns its id, where it has one.
    mutating func discard(_ key: ConversationKey) -> UInt64? {
        guard var lane = lanes.removeValue(forKey: key) else { return nil }
        for entry in lane.removeAll() {
            progress.finished(entry.count, epoch: entry.epoch)
            keep(entry.message.handles)
        }
        turns.removeAll { $0 == .conversation(key) }
        unopened.removeAll { $0 == key }
        return lane.id
    }
}
