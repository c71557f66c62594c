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
            inbound.delegate?.channelFailed(.badPayload(error))
            return
        }
        switch NodeMessage(document) {
        case .user(let document): give(message(document, line, handles: nil))
        case .handle(let document): try deliver(document, line)
        case .acknowledged where inbound.answersTaken > 0, .refused where inbound.answersTaken > 0:
            inbound.answersTaken -= 1
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
            if let document { give(message(document, line, handles: handles)) }
        case .lost where inbound.acceptsHandles:
            // Asked for once more it would be lost again.
            try answer(NodeEncoder.acknowledgement)
            inbound.delegate?.channelFailed(.handlesLost(announced: 1))
        case .lost:
            try answer(NodeEncoder.acknowledgement)
            inbound.delegate?.channelFailed(.handlesNotTaken(announced: 1))
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

    // MARK: Answers that nobody reads

    /// What is kept at most while answers are looked for.
    private static let keptForAnswers = 1 << 20

    /// Reads while this side waits for the answer to a handle, also where nobody takes messages at present: they are kept,
    /// but the answer is not for anybody else, and all that is sent meanwhile waits for it.
    func readAnswers() {
        guard dialect == .node, !inbound.canDeliver, !inbound.isDelivered else { return }
        while outbound.withLock({ $0.queue.isHeldBack }), inbound.isReadable, !inbound.isExhausted,
            inbound.leftover.count - inbound.leftoverStart < Self.keptForAnswers
        {
            loop.withReadBuffer { buffer in
                if let bytes = receive(into: buffer) { inbound.keep(bytes) }
            }
            while let line = inbound.nextUnseenLine() { act(on: line) }
        }
    }

    private func act(on line: ArraySlice<UInt8>) {
        guard line.starts(with: NodeEncoder.commandStart) else { return }
        let document = line.withUnsafeBytes { try? JSONDocument(parsing: $0) }
        switch document.map({ NodeMessage($0) }) {
        case .acknowledged:
            inbound.answersTaken += 1
            act { $0.acknowledged() }
        case .refused:
            inbound.answersTaken += 1
            handleRefusedByPeer()
        default: break
        }
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
