internal import Reactor
internal import Wire

// The end of what the peer says.
extension InboundQueue {
    /// The end of the stream has been read, or nothing more can be.
    ///
    /// - Parameters:
    ///   - error: why nothing more can be read, where that is not the peer's doing.
    ///   - leftUnread: the peer closed its end with something of ours unread.
    mutating func streamEnded(_ error: ChannelError? = nil, leftUnread: Bool = false) {
        if isStreamEnded { return }
        isStreamEnded = true
        isReadable = false
        hasPeerLeftUnread = hasPeerLeftUnread || leftUnread
        // A direction of Node's ends by itself. The end of frames is a frame, and without it the peer is gone.
        if dialect.isNative || error != nil { due.append(.peerGone(.byPeer)) }
        endData(error ?? (hasBegun ? violation(.truncated) : nil))
    }

    /// Whether a message, or a frame, has come in part.
    private var hasBegun: Bool {
        if isExhausted { return false }
        if !dialect.isNative { return lines.openPosition != nil }
        return frames.openPosition != nil || frame != nil || main.begun != nil
            || lanes.contains { $0.value.begun != nil }
    }

    /// The socket is about to be closed: all that matters has been read.
    mutating func stopReading() {
        isStreamEnded = true
        isReadable = false
    }

    /// Ends it before anything was read.
    mutating func discard() {
        isStreamEnded = true
        end = .delivered
    }

    /// Nothing that comes after a broken frame can be trusted.
    mutating func violated(_ error: WireError) -> Step {
        isStreamEnded = true
        isReadable = false
        endData(violation(error))
        return .abort(error)
    }

    /// A peer that does not speak the protocol at all is told as that.
    private func violation(_ error: WireError) -> ChannelError {
        let opening = dialect.isNative ? frames.foreignOpening : nil
        return opening.map { .notSpoken(opening: $0, error) } ?? .protocolViolation(error)
    }

    /// The peer has given up.
    mutating func aborted(_ abort: Abort) {
        isStreamEnded = true
        isReadable = false
        due.append(.peerGone(.protocolViolation))
        endData(.aborted(abort))
    }

    /// The peer says no more.
    mutating func endData(_ error: ChannelError?) {
        if isStreamEnded {
            input = UnsafeRawBufferPointer(start: nil, count: 0)
            held = []
            _ = handles.removeAll()
        }
        switch end {
        case .none:
            end = .data(error)
        case .data(let earlier):
            // What goes wrong after the end of the data is told, too.
            end = .data(earlier ?? error)
            return
        case .delivered:
            if let error { due.append(.fail(error)) }
            return
        }
        main.begun = nil
        main.hasEnded = true
        lanes.removeAll()
        begunHandleCount = 0
        due.append(.peerEnded)
    }

    mutating func endStep() -> Step? {
        guard case .data(let error) = end else { return nil }
        // In their order: what is kept for a consumer goes before.
        let isNext = backlog.isEmpty && (canDeliver || !hasConsumer)
        if isNext, let error {
            end = .data(nil)
            hasFailed = true
            return .fail(error)
        }
        if !isExhaustedTold {
            isExhaustedTold = true
            return .exhausted(hasUnread: hasUnread || hasFailed)
        }
        guard backlog.isEmpty, canDeliver else { return nil }
        end = .delivered
        return .delivered
    }
}
