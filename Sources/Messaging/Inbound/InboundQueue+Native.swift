internal import JSONCodec
internal import Reactor
internal import Wire

/// A frame whose body comes next.
struct FrameInProgress {
    enum Destination {
        /// Where its id is not 0, the conversation that it concerns.
        case control(ConversationKey?)
        case main
        case conversation(ConversationKey)
        /// Of an id that has ended.
        case nowhere
    }

    let header: FrameHeader
    var destination: Destination
    /// The handles of a message that begins with it, or what became of them.
    var handles: Result<SharedDescriptors?, ChannelError> = .success(nil)
}

// Frames: what each of them is, and the messages that they make.
extension InboundQueue {
    mutating func decode(_ input: inout UnsafeRawBufferPointer) throws(WireError) -> Step? {
        if !dialect.isNative { return try decodeLines(&input) }
        while !isStreamEnded {
            if let frame {
                if input.isEmpty, frames.missing > 0 { return nil }
                if let step = try takeBody(of: frame, from: &input) { return step }
                continue
            }
            guard let header = try frames.nextHeader(from: &input) else { return nil }
            if header.id != 0 {
                frame = FrameInProgress(header: header, destination: .nowhere)
                return .lookUp(header)
            }
            if header.isWholeMessage, main.begun == nil, input.count >= header.bodyCount {
                if let step = try takeWholeMessage(header, from: &input) { return step }
            } else {
                try begin(header)
            }
        }
        return nil
    }

    /// Most messages: one frame that lies in the input as a whole, with nothing but its body.
    private mutating func takeWholeMessage(
        _ header: FrameHeader, from input: inout UnsafeRawBufferPointer
    ) throws(WireError) -> Step? {
        try main.check(header, messageLimit: messageLimit)
        let cost = Cost.of(bodyCount: header.bodyCount)
        main.credit.receive(cost)
        let body = frames.body(from: &input)
        guard canDeliver, backlog.isEmpty else {
            backlog.append(header.kind, .borrowed(body), nil, nil, cost: cost)
            return nil
        }
        main.credit.take(cost)
        do throws(JSONError) {
            return .deliver(try InboundMessage(header.kind, .borrowed(body), spare: &spare))
        } catch {
            return .fail(.badPayload(error))
        }
    }

    private mutating func begin(_ header: FrameHeader) throws(WireError) {
        if header.kind.isControl {
            if header.kind == .end { try main.checkEnd(header) }
            frame = FrameInProgress(header: header, destination: .control(nil))
            return
        }
        try main.check(header, messageLimit: messageLimit)
        main.credit.receive(Cost.of(header))
        frame = FrameInProgress(header: header, destination: .main, handles: try takeHandles(of: header))
    }

    /// What `lookUp` has found.
    mutating func found(_ verdict: Conversations.Verdict, _ key: ConversationKey?) throws(WireError) {
        guard let header = frame?.header else { return }
        guard verdict != .late, let key else {
            // Its handles are closed. What it says of all ids counts.
            _ = try? takeHandles(of: header)
            if header.kind == .credit { frame?.destination = .control(nil) }
            return
        }
        if header.kind.isControl {
            if header.kind == .end { try lanes[header.id]?.checkEnd(header) }
            frame?.destination = .control(key)
            return
        }
        if main.hasEnded { throw .afterEnd(header.id) }
        var lane = lanes[header.id] ?? InboundLane(announced: announcedWindow, window: announcedWindow)
        if verdict == .opening { lane.isOpening = true }
        try lane.check(header, messageLimit: messageLimit)
        lane.credit.receive(Cost.of(header))
        lanes[header.id] = lane
        frame = FrameInProgress(
            header: header, destination: .conversation(key),
            handles: try takeHandles(of: header))
    }

    /// They have come with the first byte of the header.
    private mutating func takeHandles(
        of header: FrameHeader
    ) throws(WireError) -> Result<SharedDescriptors?, ChannelError> {
        if header.handleCount == 0 { return .success(nil) }
        let announced = Int(header.handleCount)
        switch handles.take(announced, at: frames.headerPosition) {
        case .handles(let handles): return .success(handles)
        case .lost where acceptsHandles: return .failure(.handlesLost(announced: announced))
        case .lost: return .failure(.handlesNotTaken(announced: announced))
        case .mismatch(let received): throw .handlesDoNotMatch(announced: announced, received: received)
        }
    }

    // MARK: Control frames

    mutating func takeControlBody(
        of header: FrameHeader, _ key: ConversationKey?, from input: inout UnsafeRawBufferPointer
    ) throws(WireError) -> Step? {
        if controlBody.isEmpty, input.count >= frames.missing {
            let body = frames.body(from: &input)
            frame = nil
            return try control(header, key, body)
        }
        controlBody += frames.body(from: &input)
        if frames.missing > 0 { return nil }
        frame = nil
        let body = controlBody
        controlBody = []
        return try MessageBody.owned(body).withBytes { body throws(WireError) in try control(header, key, body) }
    }

    private mutating func control(
        _ header: FrameHeader, _ key: ConversationKey?, _ body: UnsafeRawBufferPointer
    ) throws(WireError) -> Step? {
        switch header.kind {
        case .hello: return .hello(try Hello(body: body))
        case .abort: aborted(Abort(body: body))
        case .ping: return .ping(body.number(at: 0))
        case .pong: return .pong(body.number(at: 0))
        case .credit:
            let highestID = body.number(at: 8)
            if header.id != 0, key == nil { return .allowed(highestID: highestID) }
            return .credit(id: header.id, limit: body.number(at: 0), highestID: highestID)
        case .cancel:
            guard let key else { return nil }
            if lanes[header.id]?.isOpening ?? false { due.append(.release(key)) }
            forget(header.id)
            return .conversation(key, .cancelled)
        case .end:
            if let key {
                lanes[header.id]?.hasEnded = true
                return .conversation(key, .ended)
            }
            endData(nil)
            // Before the next frame is looked up.
            return due.isEmpty ? nil : due.removeFirst()
        case .message, .bytes, .failure: break
        }
        return nil
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func number(at offset: Int) -> UInt64 {
        UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension FrameHeader {
    /// A plain message of one frame, without a description and handles.
    fileprivate var isWholeMessage: Bool {
        guard flags.rawValue == 0, handleCount == 0 else { return false }
        switch kind {
        case .message, .bytes: return true
        default: return false
        }
    }
}
