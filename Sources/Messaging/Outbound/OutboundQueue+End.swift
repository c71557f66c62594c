internal import DequeModule
internal import Reactor
internal import Wire

// The end of what this side says.
extension OutboundQueue {
    /// Takes no more, and ends after what is queued.
    mutating func finish(_ closing: Closing) -> Action {
        guard case .open = state else { return .none }
        state = .finishing(closing)
        return nextAction()
    }

    /// Throws away what is queued. Returns the waiters, who are to be told.
    mutating func fail(_ closing: Closing) -> [UInt64] {
        if isFailed { return [] }
        if queuedCount > 0 { loss = loss ?? closing }
        // Why it closed first is the better reason.
        state = .failed(self.closing ?? closing)
        discardAll()
        if let handles = handshake?.end()?.handles { discarded.append(handles) }
        progress.removeAll()
        return progress.takeWaiters()
    }

    /// Throws away all that has not been begun, and says goodbye instead. Returns the waiters that wait for nothing.
    mutating func abort(with frame: [UInt8], _ closing: Closing) -> (action: Action, failed: [UInt64]) {
        switch state {
        case .open, .finishing, .ending, .ended: break
        case .aborting, .failed: return (.none, [])
        }
        if queuedCount > 0 { loss = loss ?? closing }
        // A hello that could not be written yet has to come first.
        let frame = (control.takeHello() ?? []) + frame
        state = .aborting(closing, frame: frame)
        if !isBatchOut { keepOnlyAbort(frame, closing) }
        return (nextAction(), progress.takeWaiters())
    }

    /// What is left of the frame that has been begun, and the abort.
    mutating func keepOnlyAbort(_ frame: [UInt8], _ closing: Closing) {
        let begun = begunChunks()
        let rest = ready.dropFirst(begun.isEmpty ? 0 : begun.count)
        if let first = ready.first, begun.first?.range != first.range, !begun.isEmpty {
            lostCount += first.messageCount - (begun.first?.messageCount ?? 0)
        }
        ready = Deque(rest)
        discardAll()
        progress.removeAll()
        control = ControlFrames()
        // Counted no more: nobody waits for it.
        ready = Deque(begun.map { Chunk($0.bytes, .control, range: $0.range) } + [Chunk(frame, .control)])
        state = .aborting(closing, frame: nil)
    }

    /// The chunks of the frame of which a part has been written.
    private func begunChunks() -> [Chunk] {
        guard let first = ready.first else { return [] }
        switch first.content {
        case .hello:
            return [first]
        case .body:
            // Its header has been written before.
            return [first]
        case .header:
            return first.range.lowerBound > 0 ? Array(ready.prefix(2)) : []
        case .frames, .lines, .control, .end:
            return first.onlyBegun().map { [$0] } ?? []
        }
    }
}
