internal import JSONCodec
internal import Reactor
internal import Wire

// The Node dialect: what of its own messages means anything here, and the acknowledgement of handles. On the loop.
extension Channel {
    func deliverLine(_ line: InboundFrame) throws(WireError) {
        let document: JSONDocument
        do throws(JSONError) {
            document = try line.withBytes { bytes throws(JSONError) in
                try JSONDocument(parsing: bytes, numbersAreDoubles: true)
            }
        } catch {
            fail(.badPayload(error))
            return
        }
        switch NodeMessage(document) {
        case .user(let document): give(message(document, line, handles: nil))
        case .handle(let document): try deliver(document, line)
        case .acknowledged: act { $0.acknowledged() }
        case .refused: handleRefusedByPeer()
        case .question(let text): try answer(text)
        case .other: break
        }
    }

    private func message(
        _ document: JSONDocument, _ line: InboundFrame, handles: SharedDescriptors?
    ) -> InboundMessage {
        InboundMessage(content: .json(document), handles: handles, byteCount: line.withBytes { $0.count })
    }

    /// A message that says that a handle rides with it.
    private func deliver(_ document: JSONDocument?, _ line: InboundFrame) throws(WireError) {
        switch inbound.handles.take(1, at: line.position) {
        case .handles(let handles):
            try answer(NodeEncoder.acknowledgement)
            // One of Node's own is acknowledged like any other, and none of the user's.
            if let document { give(message(document, line, handles: handles)) }
        case .lost where inbound.acceptsHandles:
            // Asked for once more it would be lost again.
            try answer(NodeEncoder.acknowledgement)
            fail(.handlesLost(announced: 1))
        case .lost:
            try answer(NodeEncoder.acknowledgement)
            fail(.handlesNotTaken(announced: 1))
        case .mismatch(received: 0):
            // Node sends it again, and gives up in the end.
            try answer(NodeEncoder.refusal)
        case .mismatch(let received):
            throw .handlesDoNotMatch(announced: 1, received: received)
        }
    }

    private func answer(_ bytes: [UInt8]) throws(WireError) {
        let action = outbound.withLock { outbound in
            let action = outbound.queue.answer(bytes)
            if let action { perform(action, &outbound) }
            return action
        }
        guard let action else { throw .answersUnread }
        if action == .write { write() }
    }

    private func handleRefusedByPeer() {
        var isLost = false
        act { queue in
            let (action, isLostNow) = queue.refusedByPeer()
            isLost = isLostNow
            return action
        }
        if isLost { inbound.delegate?.channelFailed(.handleNotReceived) }
    }

    /// The peer has ended its direction, or this process ends, and no acknowledgement will be read any more.
    func acknowledgementsEnded() {
        if dialect == .node { act { $0.acknowledgementsEnded() } }
    }

    private func act(_ change: (inout OutboundQueue) -> OutboundQueue.Action) {
        let (action, discarded) = outbound.withLock { outbound in
            let action = change(&outbound.queue)
            perform(action, &outbound)
            return (action, outbound.queue.takeDiscarded())
        }
        // The handle is closed only now, outside the lock.
        withExtendedLifetime(discarded) {}
        if action == .write { write() }
    }
}
