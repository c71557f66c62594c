internal import JSONCodec
internal import Reactor
internal import Wire

// The bodies of frames, and the messages that they make.
extension InboundQueue {
    /// What a header alone reserves at most.
    private static let reservedCount = 64 * 1024
    mutating func takeBody(
        of frame: FrameInProgress, from input: inout UnsafeRawBufferPointer
    ) throws(WireError) -> Step? {
        var whole: BegunMessage?
        switch frame.destination {
        case .nowhere:
            _ = frames.body(from: &input)
            if frames.missing == 0 { self.frame = nil }
            return nil
        case .control(let key):
            return try takeControlBody(of: frame.header, key, from: &input)
        case .main:
            // Most messages: one frame that lies in the input as a whole.
            if main.begun == nil, !frame.header.hasMore, input.count >= frames.missing {
                let body = frames.body(from: &input)
                self.frame = nil
                return try complete(frame, body)
            }
            // Out of this value for the time being, so that nothing is copied.
            var lane = InboundLane(announced: 0, window: 0)
            swap(&lane, &main)
            defer { swap(&lane, &main) }
            whole = try gather(frame.header, frame.handles, &lane, from: &input)
        case .conversation:
            let id = frame.header.id
            // Given up by this side since its header came: what comes is dropped.
            guard var lane = lanes[id] else {
                self.frame?.destination = .nowhere
                return nil
            }
            if lane.begun == nil, !frame.header.hasMore, input.count >= frames.missing {
                let body = frames.body(from: &input)
                self.frame = nil
                return try complete(frame, body)
            }
            lanes[id] = nil
            defer { lanes[id] = lane }
            whole = try gather(frame.header, frame.handles, &lane, from: &input)
        }
        guard var message = whole.take() else { return nil }
        // Nothing else may refer to the body, or its memory could not be used again.
        var body: [UInt8] = []
        swap(&body, &message.body)
        return finish(frame, .owned(consume body), message.description, handles: message.handles, cost: message.cost)
    }

    /// A message of one frame that lies in the input.
    private mutating func complete(
        _ frame: FrameInProgress, _ body: UnsafeRawBufferPointer
    ) throws(WireError) -> Step? {
        var body = body
        var description: MessageDescription?
        if frame.header.flags.contains(.meta) {
            description = try MessageDescription(from: &body)
            try checkLength(body.count)
        }
        return finish(frame, .borrowed(body), description, handles: frame.handles, cost: Cost.of(frame.header))
    }

    private func checkLength(_ count: Int) throws(WireError) {
        if count > messageLimit { throw .messageTooLong(count, limit: messageLimit) }
    }

    /// Puts what there is of the body behind what has come of its message, and returns that when it is whole.
    private mutating func gather(
        _ header: FrameHeader, _ handles: Result<SharedDescriptors?, ChannelError>, _ lane: inout InboundLane,
        from input: inout UnsafeRawBufferPointer
    ) throws(WireError) -> BegunMessage? {
        if lane.begun == nil {
            var memory: [UInt8] = []
            // Bytes are given away with their memory, which has to be of their size.
            if header.kind == .message { swap(&memory, &spare) }
            lane.begun = BegunMessage(header: header, handles: handles, body: memory, cost: 0)
            begunHandleCount += lane.begunHandleCount
            lane.reserve(min(header.bodyCount, Self.reservedCount), limit: messageLimit)
        }
        if frames.missing == header.bodyCount { lane.begun?.cost += Cost.of(header) }
        let portion = frames.body(from: &input)
        lane.reserve(portion.count, limit: messageLimit)
        lane.begun?.body.append(contentsOf: portion)
        if frames.missing > 0 { return nil }
        self.frame = nil
        if header.flags.contains(.meta) { try lane.takeDescription(messageLimit: messageLimit) }
        touch(header.id)
        if header.hasMore { return nil }
        begunHandleCount -= lane.begunHandleCount
        defer { lane.begun = nil }
        return lane.begun
    }

    /// Whether the next bytes belong to a long message, and can be read to where it is gathered.
    var readsDirectly: Bool {
        guard let frame, !hasInput, frames.missing > 0 else { return false }
        switch frame.destination {
        case .main: return main.gathersAtLeast(directSize)
        case .conversation: return lanes[frame.header.id]?.gathersAtLeast(directSize) ?? false
        case .control, .nowhere: return false
        }
    }

    /// Has bytes read to where a long message is gathered, as far as its frame goes.
    ///
    /// - Parameter read: reads that far, or further. Returns how much that was.
    /// - Returns: how much was read, and how much of that belongs to the message.
    mutating func readDirectly<Failure>(
        _ read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> (count: Int, direct: Int) {
        guard let header = frame?.header else { return (0, 0) }
        let missing = frames.missing
        let count: Int
        if header.id == 0 {
            count = try main.readBody(missing, limit: messageLimit, read)
        } else {
            // In its place, or all of it would be copied.
            count = try lanes[header.id]?.readBody(missing, limit: messageLimit, read) ?? 0
        }
        let direct = min(count, missing)
        if direct > 0, missing == header.bodyCount { addCost(of: header) }
        frames.bodyWasRead(direct)
        return (count, direct)
    }

    private mutating func addCost(of header: FrameHeader) {
        if header.id == 0 {
            main.begun?.cost += Cost.of(header)
        } else {
            lanes[header.id]?.begun?.cost += Cost.of(header)
        }
    }

    /// A message is whole.
    private mutating func finish(
        _ frame: FrameInProgress, _ body: consuming MessageBody, _ description: MessageDescription?,
        handles: Result<SharedDescriptors?, ChannelError>, cost: UInt64
    ) -> Step? {
        guard case .conversation(let key) = frame.destination else {
            return finishMain(frame.header.kind, body, description, handles, cost)
        }
        let id = frame.header.id
        if frame.header.kind == .failure {
            forget(id)
            return .conversation(key, .failed(body.bytes()))
        }
        let isOpening = lanes[id]?.isOpening ?? false
        let isLast = !frame.header.flags.contains(.open)
        lanes[id]?.isOpening = false
        lanes[id]?.hasEnded = isLast
        let lost: ChannelError
        switch handles {
        case .failure(let error):
            lost = error
        case .success(let handles):
            do throws(JSONError) {
                let message = try InboundMessage(frame.header.kind, body, description, handles, spare: &spare)
                return .conversation(key, .message(message, isOpening: isOpening, isLast: isLast, cost: cost))
            } catch {
                lost = .badPayload(error)
            }
        }
        took(id, cost)
        return .conversation(key, .lost(lost, isOpening: isOpening, isLast: isLast))
    }

    private mutating func finishMain(
        _ kind: FrameKind, _ body: consuming MessageBody, _ description: MessageDescription?,
        _ handles: Result<SharedDescriptors?, ChannelError>, _ cost: UInt64
    ) -> Step? {
        let isNext = canDeliver && backlog.isEmpty
        switch handles {
        case .failure(let error):
            if isNext {
                main.credit.take(cost)
                return .fail(error)
            }
            backlog.append(error, cost: cost)
        case .success(let handles):
            guard isNext else {
                backlog.append(kind, body, description, handles, cost: cost)
                return nil
            }
            main.credit.take(cost)
            do throws(JSONError) {
                return .deliver(try InboundMessage(kind, body, description, handles, spare: &spare))
            } catch {
                return .fail(.badPayload(error))
            }
        }
        return nil
    }
}

extension InboundLane {
    /// Takes the description off the front of a message, whose first frame has just come.
    fileprivate mutating func takeDescription(messageLimit: Int) throws(WireError) {
        guard let body = begun?.body else { return }
        let (description, rest) = try MessageBody.owned(body).withBytes { bytes throws(WireError) in
            var rest = bytes
            return (try MessageDescription(from: &rest), rest.count)
        }
        if rest > messageLimit { throw .messageTooLong(rest, limit: messageLimit) }
        begun?.description = description
        begun?.body.removeFirst(body.count - rest)
    }
}
