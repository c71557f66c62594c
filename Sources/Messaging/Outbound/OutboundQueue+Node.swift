internal import Wire

// What the Node dialect holds back until a handle is acknowledged.
extension OutboundQueue {
    /// Whether the next message has to wait for the acknowledgement of the last handle.
    var isHeldBack: Bool { handshake?.isWaiting ?? false }

    /// Queues an answer to a handle of the peer's, ahead of all messages that have not been begun. Nil where the peer
    /// wants too many of them.
    mutating func answer(_ bytes: [UInt8]) -> Action? {
        if case .failed = state { return Action.none }
        guard handshake?.answer(bytes) ?? false else { return nil }
        return nextAction()
    }

    /// The peer will acknowledge nothing more; what waits for that goes on without.
    mutating func acknowledgementsEnded() -> Action {
        keepHandles(of: handshake?.end())
        return nextAction()
    }

    /// The peer has got the handle that was under way.
    mutating func acknowledged() -> Action {
        keepHandles(of: handshake?.acknowledged())
        return nextAction()
    }

    /// The peer has not got it. Also says whether its message is lost for good.
    mutating func refusedByPeer() -> (action: Action, isLost: Bool) {
        switch handshake?.refused() ?? .none {
        case .none:
            return (.none, false)
        case .again(let chunk):
            // The peer need not have read it to its end, nor this side have written it.
            ready.insert(chunk, at: ready.first?.isBegun ?? false ? 1 : 0)
            progress.requeued(chunk.count, epoch: chunk.epoch)
            return (nextAction(), false)
        case .lost(let chunk):
            lostCount += 1
            keepHandles(of: chunk)
            return (nextAction(), true)
        }
    }

    private mutating func keepHandles(of chunk: Chunk?) {
        if let handles = chunk?.handles { discarded.append(handles) }
    }
}
