package import Reactor
internal import Wire

/// A message on its way into the queue. There is one of it: whoever still referred to its bytes would make their reuse
/// a copy.
enum Submission: ~Copyable {
    case message(OutboundMessage)
    /// Of the Node dialect.
    case line([UInt8], OutboundHandles?)

    var handles: OutboundHandles? {
        switch self {
        case .message(let message): message.handles
        case .line(_, let handles): handles
        }
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
        switch dialect {
        case .native:
            let bodyCount = buffer.count - FrameHeader.size
            return try submit(.message(OutboundMessage(kind: .message, bytes: consume buffer)), bodyCount)
        case .node:
            let bodyCount = buffer.count - 1
            return try submit(.line(consume buffer, nil), bodyCount)
        }
    }

    /// Queues a binary message; a long array is kept, not copied.
    @discardableResult
    package func send(bytes: [UInt8]) throws(ChannelError) -> Bool {
        try send(bytes: bytes, handles: DescriptorList())
    }

    // MARK: Sending with handles

    /// The same, with handles that ride with the message. They are closed once they have been written; also where this
    /// throws.
    @discardableResult
    package func send(_ value: some Encodable, handles: consuming DescriptorList) throws(ChannelError) -> Bool {
        if handles.isEmpty { return try send(value) }
        try check(handles)
        if !dialect.isNative { return try sendLine(value, handles) }
        var buffer: [UInt8] = []
        do {
            try FrameEncoder.appendMessage(value, to: &buffer)
        } catch {
            throw .notEncodable(error)
        }
        let bodyCount = buffer.count - FrameHeader.size
        let message = OutboundMessage(kind: .message, bytes: buffer, handles: OutboundHandles(handles))
        return try submit(.message(message), bodyCount)
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
        return try submit(.line(buffer, OutboundHandles(handles)), buffer.count - 1)
    }

    @discardableResult
    package func send(bytes: [UInt8], handles: consuming DescriptorList) throws(ChannelError) -> Bool {
        if !dialect.isNative { throw .bytesNotSupported }
        if !handles.isEmpty { try check(handles) }
        let riding = handles.isEmpty ? nil : OutboundHandles(handles)
        if bytes.count > Self.copiedSize {
            let message = OutboundMessage(kind: .bytes, bytes: bytes, bodyStart: 0, handles: riding)
            return try submit(.message(message), bytes.count)
        }
        var buffer = outbound.withLock { $0.takeSpare() }
        FrameEncoder.appendBody(bytes, to: &buffer)
        return try submit(.message(OutboundMessage(kind: .bytes, bytes: buffer, handles: riding)), bytes.count)
    }

    private func check(_ handles: borrowing DescriptorList) throws(ChannelError) {
        let limit = dialect.isNative ? FrameHeader.maximumHandleCount : 1
        if handles.count > limit { throw .tooManyHandles(handles.count, limit: limit) }
        if let number = handles.firstClosed { throw .handleNotOpen(number) }
        if !outbound.withLock({ $0.peerTakesHandles }) { throw .handlesNotTakenByPeer }
    }

    // MARK: Queueing

    private enum WriteTime {
        case now, atEndOfTurn, planned
        /// By the loop, together with what else is sent until it wakes up.
        case soon
        /// When the loop has read that the peer allows it.
        case whenAllowed
    }

    private func submit(_ submission: consuming Submission, _ bodyCount: Int) throws(ChannelError) -> Bool {
        let isInLoop = loop.isCurrent
        // Where the message is refused they are closed, which takes system calls: after the lock.
        let handles = submission.handles
        defer { withExtendedLifetime(handles) {} }
        // Given away inside.
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
        case .whenAllowed:
            try? loop.ensureDriven()
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
            case .message(let message): outbound.keepSpare(try outbound.queue.accept(consume message))
            case .line(let line, let handles):
                outbound.keepSpare(try outbound.queue.accept(line: consume line, handles: handles))
            }
        } catch {
            throw ChannelError(error, bodyCount, limit: outbound.queue.limit)
        }
    }

    /// Changes the queue by something that it may refuse, and writes at once.
    func accept(
        _ bodyCount: Int, _ change: (inout OutboundQueue) throws(OutboundQueue.AcceptError) -> Bool
    ) throws(ChannelError) -> Bool {
        let result = outbound.withLock { outbound -> Result<Bool, ChannelError> in
            if bodyCount > outbound.peerMessageLimit {
                return .failure(.tooLong(count: bodyCount, limit: outbound.peerMessageLimit))
            }
            do throws(OutboundQueue.AcceptError) {
                return .success(try change(&outbound.queue))
            } catch {
                return .failure(ChannelError(error, bodyCount, limit: outbound.queue.limit))
            }
        }
        let isAccepted = try result.get()
        write()
        return isAccepted
    }

    private func writeTime(isInLoop: Bool, _ outbound: inout Outbound) -> WriteTime {
        if outbound.queue.awaitsPeer { return .whenAllowed }
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

extension ChannelError {
    fileprivate init(_ error: OutboundQueue.AcceptError, _ bodyCount: Int, limit: Int) {
        switch error {
        case .closed(let closing): self = .closed(closing)
        case .full(let queued): self = .queueFull(count: bodyCount, queued: queued, limit: limit)
        }
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
