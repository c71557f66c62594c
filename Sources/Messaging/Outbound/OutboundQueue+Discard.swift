internal import DequeModule
internal import Wire

// What is thrown away: counted, and kept until the owner lets go of its handles.
extension OutboundQueue {
    mutating func takeDiscarded() -> Deque<OutboundHandles> {
        defer { discarded = [] }
        return discarded
    }

    /// Conversations to be told of as abandoned.
    mutating func takeAbandoned() -> [ConversationKey] {
        if abandoned.isEmpty { return [] }
        defer { abandoned = [] }
        return abandoned
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
        // Those that are opened are told of when the peer's end is read.
        abandoned += keysWithoutID
        lanes.removeAll()
        turns.removeAll()
        unopened.removeAll()
    }

    private mutating func discard(_ entry: OutboundLane.Removed) {
        lostCount += entry.messageCount
        keep(entry.handles)
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
        discardCut(of: id)
        if let key = conversations.key(of: id) {
            _ = discard(key)
            abandoned.append(key)
        }
        conversations.remove(id)
        control.forget(id)
        // No new id may be skipped: it is opened by a message that says nothing.
        let isOpening = conversations.isOwn(id) && FrameEncoder.flags(in: first.bytes).contains(.meta)
        let opening = isOpening ? FrameEncoder.emptyOpening(id) : []
        ready.insert(Chunk(opening + FrameEncoder.control(.cancel, id: id), .control), at: 0)
    }

    /// Throws away the frames of a conversation that have been cut; none of them is begun.
    private mutating func discardCut(of id: UInt64) {
        var rest = Deque<Chunk>()
        var isOfHeader = false
        for chunk in ready {
            let isBody = if case .body = chunk.content { true } else { false }
            let isOfID = isBody ? isOfHeader : chunk.isCut && FrameEncoder.id(in: chunk.bytes) == id
            isOfHeader = isOfID && chunk.content == .header
            guard isOfID else {
                rest.append(chunk)
                continue
            }
            lostCount += chunk.messageCount
            if chunk.isCounted { progress.finished(chunk.count, epoch: chunk.epoch) }
            keep(chunk.handles)
        }
        ready = rest
    }

    /// Throws away the rest of a message that has been begun. It has been counted as lost.
    private mutating func discardFirstOfMain() {
        let entry = main.removeFirst()
        progress.finished(entry.count, epoch: entry.epoch)
        leaveTurns()
    }

    /// Throws away what is too long for the peer, and the conversations with such messages. Returns the lengths.
    mutating func discard(longerThan limit: Int) -> [Int] {
        var lengths: [Int] = []
        for entry in main.remove(longerThan: limit) {
            lengths.append(entry.length)
            progress.finished(entry.count, epoch: entry.epoch)
            discard(entry)
        }
        leaveTurns()
        for key in keysWithoutID {
            guard let count = lanes[key]?.count(longerThan: limit) else { continue }
            lengths.append(count)
            _ = discard(key)
            abandoned.append(key)
        }
        return lengths
    }

    private mutating func leaveTurns() {
        guard main.isQueued, main.isEmpty else { return }
        main.isQueued = false
        turns.removeAll { $0 == .main }
    }

    /// The conversations of this side that the peer has not heard of, in order.
    var keysWithoutID: [ConversationKey] {
        lanes.filter { $0.value.id == nil }.keys.sorted { $0.number < $1.number }
    }

    /// Throws away what a conversation has queued. Returns its id, where it has one.
    mutating func discard(_ key: ConversationKey) -> UInt64? {
        guard var lane = lanes.removeValue(forKey: key) else { return nil }
        for entry in lane.removeAll() {
            progress.finished(entry.count, epoch: entry.epoch)
            keep(entry.handles)
        }
        turns.removeAll { $0 == .conversation(key) }
        unopened.removeAll { $0 == key }
        return lane.id
    }
}
