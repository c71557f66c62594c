package import Reactor
internal import Wire

/// A message on its way into the queue.
enum Submission {
    case frame([UInt8])
    case chunks([OutboundQueue.Chunk])

    var handles: OutboundHandles? {
        if case .chunks(let chunks) = self { chunks.first?.handles } else { nil }
    }
}

extension Channel {
    /// Up to this size copying a body is cheaper than a part of its own in the system call.
    private static let copiedSize = 16 * 1024
    /// A burst that is sent in one turn of the loop is written when the turn ends, or when it is this many bytes.
    private static let gatheredSize = 64 * 1024

    // MARK: Sending

    /// Encodes and queues a message, and writes it at once where nothing is ahead of it. From any thread; never waits.
    ///
    /// - Returns: whether the queue is below its high-water mark.
    @discardableResult
    package func send(_ value: some Encodable) throws(ChannelError) -> Bool {
        var buffer = outbound.withLock { $0.takeSpare() }
        do {
            switch dialect {
            case .native: try FrameEncoder.appendMessage(value, to: &buffer)
            case .node: try NodeEncoder.append(value, to: &buffer)
            }
        } catch {
            outbound.withLock { $0.keepSpare(buffer) }
            throw .notEncodable(error)
        }
        let bodyCount = buffer.count - (dialect == .node ? 1 : FrameHeader.size)
        if dialect == .node { return try submit(.frame(consume buffer), bodyCount) }
        if bodyCount > FrameEncoder.fragmentSize {
            return try submit(.chunks(Self.fragments(.message, buffer, from: FrameHeader.size)), bodyCount)
        }
        return try submit(.frame(consume buffer), bodyCount)
    }

    /// Queues a binary message; a long array is kept, not copied.
    @discardableResult
    package func send(bytes: [UInt8]) throws(ChannelError) -> Bool {
        if dialect == .node { throw .bytesNotSupported }
        if bytes.count > Self.copiedSize {
            return try submit(.chunks(Self.fragments(.bytes, bytes, from: 0)), bytes.count)
        }
        var buffer = outbound.withLock { $0.takeSpare() }
        FrameEncoder.append(.bytes, to: &buffer) { $0.append(contentsOf: bytes) }
        return try submit(.frame(consume buffer), bytes.count)
    }

    // MARK: Sending with handles

    /// The same, with handles that ride with the message. They are closed once they have been written; also where this
    /// throws.
    @discardableResult
    package func send(_ value: some Encodable, handles: consuming DescriptorList) throws(ChannelError) -> Bool {
        if handles.isEmpty { return try send(value) }
        try check(handles)
        if dialect == .node { return try sendLine(value, handles) }
        var buffer: [UInt8] = []
        do {
            try FrameEncoder.appendMessage(value, handleCount: handles.count, to: &buffer)
        } catch {
            throw .notEncodable(error)
        }
        let bodyCount = buffer.count - FrameHeader.size
        if bodyCount > FrameEncoder.fragmentSize {
            return try submit(.chunks(Self.fragments(.message, buffer, from: FrameHeader.size, handles)), bodyCount)
        }
        let chunk = OutboundQueue.Chunk(
            bytes: buffer, range: 0..<buffer.count, startsMessage: true, handles: OutboundHandles(handles))
        return try submit(.chunks([chunk]), bodyCount)
    }

    private func sendLine(_ value: some Encodable, _ handles: consuming DescriptorList) throws(ChannelError) -> Bool {
        guard let type = handles.withNumbers({ $0.first.flatMap { System.socketKind($0) } }) else {
            throw .handleKindNotSupported
        }
        var buffer: [UInt8] = []
        do {
            try NodeEncoder.append(value, handle: type.nodeType, to: &buffer)
        } catch {
            throw .notEncodable(error)
        }
        let chunk = OutboundQueue.Chunk(
            bytes: buffer, range: 0..<buffer.count, startsMessage: true, handles: OutboundHandles(handles),
            content: .lines)
        return try submit(.chunks([chunk]), buffer.count - 1)
    }

    @discardableResult
    package func send(bytes: [UInt8], handles: consuming DescriptorList) throws(ChannelError) -> Bool {
        if handles.isEmpty || dialect == .node { return try send(bytes: bytes) }
        try check(handles)
        return try submit(.chunks(Self.fragments(.bytes, bytes, from: 0, handles)), bytes.count)
    }

    private func check(_ handles: borrowing DescriptorList) throws(ChannelError) {
        let limit = dialect == .native ? FrameHeader.maximumHandleCount : 1
        if handles.count > limit { throw .tooManyHandles(handles.count, limit: limit) }
        if let number = handles.firstClosed { throw .handleNotOpen(number) }
        if !outbound.withLock({ $0.peerTakesHandles }) { throw .handlesNotTakenByPeer }
    }

    // MARK: Queueing

    /// Fragments that share the memory of the body.
    private static func fragments(
        _ kind: FrameKind, _ bytes: [UInt8], from start: Int, _ handles: consuming DescriptorList = DescriptorList()
    ) -> [OutboundQueue.Chunk] {
        let handleCount = handles.count
        let handles = handles.isEmpty ? nil : OutboundHandles(handles)
        return FrameEncoder.fragments(kind, handleCount: handleCount, bodyCount: bytes.count - start).flatMap {
            header, range in
            [
                OutboundQueue.Chunk(
                    bytes: header.bytes, range: 0..<FrameHeader.size, startsMessage: range.lowerBound == 0,
                    handles: range.lowerBound == 0 ? handles : nil, content: .part(isLast: false)),
                OutboundQueue.Chunk(
                    bytes: bytes, range: start + range.lowerBound..<start + range.upperBound, startsMessage: false,
                    content: .part(isLast: !header.hasMore)),
            ]
        }
    }

    private enum WriteTime {
        case now, atEndOfTurn, planned
        /// By the loop, together with what else is sent until it wakes up.
        case soon
    }

    func submit(_ submission: consuming Submission, _ bodyCount: Int) throws(ChannelError) -> Bool {
        let isInLoop = loop.isCurrent
        // Where the message is refused they are closed, which takes system calls: after the lock.
        let handles = submission.handles
        defer { withExtendedLifetime(handles) {} }
        // Given away inside: whoever still referred to the buffer would make its reuse a copy.
        var submission: Submission? = consume submission
        let accepted = outbound.withLock { outbound -> Result<(Bool, WriteTime), ChannelError> in
            do throws(ChannelError) {
                if let submission = submission.take() { try accept(submission, bodyCount, &outbound) }
            } catch {
                return .failure(error)
            }
            return .success((outbound.queue.isBelowHighWaterMark, writeTime(isInLoop: isInLoop, &outbound)))
        }
        let (isBelow, time) = try accepted.get()
        switch time {
        case .planned: return isBelow
        case .atEndOfTurn:
            loop.atEndOfTurn(self)
            return isBelow
        case .soon:
            if loop.executeIfWaiting({ self.writeBurst() }) { return isBelow }
            writeBurst()
            return try stateAfterWrite()
        case .now:
            write()
            return try stateAfterWrite()
        }
    }

    private func accept(
        _ submission: consuming Submission, _ bodyCount: Int, _ outbound: inout Outbound
    ) throws(ChannelError) {
        if bodyCount > outbound.peerMessageLimit {
            throw .tooLong(count: bodyCount, limit: outbound.peerMessageLimit)
        }
        do throws(OutboundQueue.AcceptError) {
            switch consume submission {
            case .frame(let bytes): outbound.keepSpare(try outbound.queue.accept(frame: bytes))
            case .chunks(let chunks): try outbound.queue.accept(chunks)
            }
        } catch {
            switch error {
            case .closed(let closing): throw .closed(closing)
            case .full(let queued):
                throw .queueFull(count: bodyCount, queued: queued, limit: outbound.queue.limit)
            }
        }
    }

    private func writeTime(isInLoop: Bool, _ outbound: inout Outbound) -> WriteTime {
        if outbound.queue.queuedCount >= Self.gatheredSize { return .now }
        if isInLoop {
            guard outbound.burst.sendsInHandler(at: System.nanoseconds) else { return .now }
            if outbound.isTurnEndPlanned { return .planned }
            outbound.isTurnEndPlanned = true
            return .atEndOfTurn
        }
        if outbound.isFlushPlanned { return .planned }
        outbound.isFlushPlanned = outbound.burst.sends(at: System.nanoseconds, loop.latency)
        return outbound.isFlushPlanned ? .soon : .now
    }

    /// The write may have emptied the queue, or have found that there is nobody to read.
    private func stateAfterWrite() throws(ChannelError) -> Bool {
        let (isBelow, loss) = outbound.withLock { ($0.queue.isBelowHighWaterMark, $0.queue.loss) }
        if let loss { throw .closed(loss) }
        return isBelow
    }
}

extension System.SocketKind {
    fileprivate var nodeType: NodeEncoder.HandleType {
        switch self {
        case .stream: .socket
        case .listening: .server
        case .datagram4: .datagram4
        case .datagram6: .datagram6
        }
    }
}
