internal import JSONCodec
internal import Reactor
internal import Wire

// Lines of the Node dialect: what of Node's own messages means anything here.
extension InboundQueue {
    mutating func decodeLines(_ input: inout UnsafeRawBufferPointer) throws(WireError) -> Step? {
        while let line = try lines.next(from: &input, spare: &spare) {
            if let step = try take(line) { return step }
        }
        return nil
    }

    private mutating func take(_ line: consuming Line) throws(WireError) -> Step? {
        let count = line.body.count
        let position = line.position
        let message: NodeMessage
        do throws(JSONError) {
            let document = try line.body.withBytes { bytes throws(JSONError) in
                try JSONDocument(parsing: bytes, numbersAreDoubles: true)
            }
            message = NodeMessage(document)
        } catch {
            return give(.badPayload(error))
        }
        if let memory = line.body.spentMemory() { spare.recycle(memory) }
        switch message {
        case .user(let document): return give(document, count)
        case .handle(let document): return try takeHandle(document, count, at: position)
        case .acknowledged: return .acknowledged
        case .refused: return .refused
        case .question(let text): return .answer(text)
        case .other: return nil
        }
    }

    /// A message that says that a handle rides with it. Its answer goes first.
    private mutating func takeHandle(
        _ document: JSONDocument?, _ count: Int, at position: UInt64
    ) throws(WireError) -> Step? {
        switch handles.take(1, at: position) {
        case .handles(let handles):
            // One of Node's own is acknowledged like any other, and none of the user's.
            if let document, let step = give(document, count, handles) { due.append(step) }
        case .lost:
            // Asked for once more it would be lost again.
            let error: ChannelError =
                acceptsHandles ? .handlesLost(announced: 1) : .handlesNotTaken(announced: 1)
            if let step = give(error) { due.append(step) }
        case .mismatch(received: 0):
            // Node sends it again, and gives up in the end.
            return .answer(NodeEncoder.refusal)
        case .mismatch(let received):
            throw .handlesDoNotMatch(announced: 1, received: received)
        }
        return .answer(NodeEncoder.acknowledgement)
    }

    private mutating func give(
        _ document: JSONDocument, _ count: Int, _ handles: SharedDescriptors? = nil
    ) -> Step? {
        if canDeliver, backlog.isEmpty {
            return .deliver(InboundMessage(document, handles: handles, byteCount: count))
        }
        backlog.append(document, count, handles)
        return nil
    }

    private mutating func give(_ error: ChannelError) -> Step? {
        if canDeliver, backlog.isEmpty { return .fail(error) }
        backlog.append(error)
        return nil
    }
}
