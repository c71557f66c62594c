internal import DequeModule
internal import Wire

// Plain messages, and lines of the Node dialect, on their way into the queue.
extension OutboundQueue {
    func checkRoom(for count: Int) throws(AcceptError) {
        if let closing { throw .closed(closing) }
        // One message is taken by an empty queue whatever its size: the limit on messages has its own name.
        if queuedCount > 0, queuedCount + count > limit { throw .full(queued: queuedCount) }
    }

    /// Queues a plain message. Returns a buffer that can be used again.
    mutating func accept(_ message: consuming OutboundMessage) throws(AcceptError) -> [UInt8] {
        try checkRoom(for: message.bytes.count)
        guard mayPass(message) else {
            progress.accepted(message.queuedCount)
            defer { enqueue(.main) }
            if message.isFrame { return main.append(frame: message, epoch: progress.epoch) }
            main.append(message, epoch: progress.epoch)
            return []
        }
        main.credit.spend(message.cost)
        progress.accepted(message.bytes.count)
        guard message.handles == nil else {
            ready.append(
                Chunk(message.bytes, .frames, handles: message.handles, epoch: progress.epoch))
            return []
        }
        return join(message.takeBytes(), .frames)
    }

    /// Queues a line of the Node dialect. Returns a buffer that can be used again.
    mutating func accept(line: consuming [UInt8], handles: OutboundHandles?) throws(AcceptError) -> [UInt8] {
        try checkRoom(for: line.count)
        progress.accepted(line.count)
        guard handles == nil else {
            ready.append(Chunk(line, .lines, handles: handles, epoch: progress.epoch))
            return []
        }
        return join(line, .lines)
    }

    /// Whether the message is a frame that can be written next, as far as its id is concerned.
    private func mayPass(_ message: borrowing OutboundMessage) -> Bool {
        message.isFrame && main.isEmpty && main.credit.isLeft
            && (peerLimits != nil || message.messageCount <= Hello.Limits.floor.message)
    }

    /// Puts whole frames or lines behind the last, in its memory where both are small.
    private mutating func join(_ bytes: consuming [UInt8], _ content: Chunk.Content) -> [UInt8] {
        let count = bytes.count
        guard let last = ready.indices.last, ready[last].takes(count, content, epoch: progress.epoch) else {
            ready.append(Chunk(consume bytes, content, epoch: progress.epoch))
            return []
        }
        ready[last].append(bytes)
        return bytes
    }
}
