internal import JSONCodec
internal import Reactor
internal import Synchronization
internal import SystemPackage
internal import Wire

// All of this runs on the channel's loop.
extension Channel {
    /// A turn reads at most this often from one channel, so that a peer that floods does not keep the others waiting.
    private static let readsPerTurn = 8
    /// What is read after the peer's process has ended. More than any socket buffer holds; another process that shares
    /// its end could go on for ever.
    private static let keptAtEnd = 16 << 20
    /// For how many messages handles are kept then.
    private static let batchesKeptAtEnd = 1024

    // MARK: Consumers

    /// Whether anybody takes messages. While nobody does, the kernel keeps them.
    package func setConsumer(present: Bool) {
        inbound.hasConsumer = present
        if present { hasHadConsumer.store(true, ordering: .relaxed) }
        inbound.keptDelegate = present && !inbound.isDelivered ? inbound.delegate : nil
        pump()
    }

    /// A consumer is saturated; nothing is delivered until as many `resume` calls have come.
    package func pause() {
        inbound.pauses += 1
    }

    package func resume() {
        inbound.pauses -= 1
        pump()
    }

    /// The process at the other end has ended. What it has written is still read, and then nothing more is waited for,
    /// even where another process holds its end of the socket.
    package func peerProcessEnded() {
        inbound.isPeerProcessEnded = true
        inbound.isReadable = true
        failWriting(.peerEnded)
        pump()
    }

    // MARK: Reading

    func becameReadable(_ readiness: Readiness) {
        if readiness.isPeerClosed { inbound.isPeerClosed = true }
        if readiness.isReadable || readiness.isPeerClosed { inbound.isReadable = true }
        pump()
    }

    /// Delivers what has been read and reads more, until the socket is empty, the consumers are saturated, or the turn
    /// has done its share.
    func pump() {
        // A call by the delegate: reading on here would overtake, and overwrite, what is being decoded. Or the turn has
        // done its share, and what is new is seen by the call that is planned.
        if inbound.isPumping || inbound.isPumpPlanned { return }
        inbound.isPumping = true
        defer { inbound.isPumping = false }
        repeat { deliver() } while exhaust() && inbound.canDeliver
    }

    private func deliver() {
        var reads = 0
        while wantsMore {
            if inbound.canDeliver, let kept = inbound.popKept() {
                handOver(kept)
            } else if let violation = inbound.violation {
                inbound.violation = nil
                violated(violation)
            } else if inbound.hasLeftover {
                decodeLeftover()
            } else if inbound.isExhausted {
                if !inbound.canDeliver { return }
                deliverEnd()
            } else if !inbound.isReadable {
                return
            } else if reads == Self.readsPerTurn {
                planPump()
                return
            } else {
                reads += 1
                loop.withReadBuffer { read(into: $0) }
            }
        }
    }

    /// Somebody takes messages; or an answer is waited for, which stands behind those that nobody takes yet.
    private var wantsMore: Bool {
        inbound.canDeliver || dialect == .node && inbound.canKeep && outbound.withLock { $0.queue.isHeldBack }
    }

    private func planPump() {
        inbound.isPumpPlanned = true
        loop.execute {
            self.inbound.isPumpPlanned = false
            self.pump()
        }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) {
        guard let bytes = receive(into: buffer) else { return }
        let rest = decode(bytes)
        if !rest.isEmpty { inbound.keep(rest) }
    }

    /// What could be read now; nil where that was nothing.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer? {
        do throws(Errno) {
            let isEnough = inbound.countSinceEnd > Self.keptAtEnd || inbound.handles.batchCount > Self.batchesKeptAtEnd
            let (count, hasHandles) = isEnough ? (0, false) : try inbound.receive(from: descriptor, into: buffer)
            if count == 0 {
                endReading()
                return nil
            }
            if inbound.isPeerProcessEnded { inbound.countSinceEnd += count }
            // A short read has emptied the socket, unless handles ended it, and an edge tells of what comes after it;
            // but the edge of the peer's end may have been told already.
            inbound.isReadable =
                count == buffer.count || hasHandles || inbound.isPeerClosed || inbound.isPeerProcessEnded
            return UnsafeRawBufferPointer(rebasing: buffer[..<count])
        } catch .wouldBlock {
            inbound.isReadable = false
            if inbound.isPeerProcessEnded { endReading() }
        } catch .connectionReset {
            // The peer ended with something of ours unread. All that it wrote has been read before.
            inbound.hasPeerLeftUnread = true
            endReading()
        } catch {
            inbound.delegate?.channelFailed(.system(error))
            endReading()
        }
        return nil
    }

    private func endReading() {
        inbound.isExhausted = true
        acknowledgementsEnded()
        closeIfDone()
        if let delegate = inbound.delegate {
            delegate.channelExhausted(hasUnread: inbound.hasUnread)
        } else {
            finishAfterPeer()
        }
    }

    /// Reads what is left of a peer that has ended and that nobody listens to, so that its end can be told. False where
    /// that is not the case.
    private func exhaust() -> Bool {
        guard !inbound.hasConsumer, inbound.isPeerClosed || inbound.isPeerProcessEnded else { return false }
        while !inbound.isExhausted, inbound.isReadable {
            loop.withReadBuffer { buffer in
                if let bytes = receive(into: buffer) { inbound.keep(bytes) }
            }
        }
        return true
    }

    // MARK: Decoding

    private func decodeLeftover() {
        // Taken out, so that it is not copied when a handler's doing adds to it.
        let bytes = inbound.leftover
        let start = inbound.leftoverStart
        inbound.leftover = []
        inbound.leftoverStart = 0
        let rest = bytes.withUnsafeBytes { decode(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        if rest.isEmpty { return }
        // Not copied: consumers that take one message at a time come here once for each.
        inbound.leftover = bytes
        inbound.leftoverStart = bytes.count - rest.count
    }

    /// Delivers what the consumers take, and returns what is left.
    private func decode(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var input = bytes
        loop.exchangeSpareMemory(&inbound.decoder.spare)
        defer { loop.exchangeSpareMemory(&inbound.decoder.spare) }
        do throws(WireError) {
            while wantsMore, let frame = try inbound.decoder.next(from: &input) {
                try deliver(frame)
            }
            if inbound.handles.batchCount > 0 { try checkHandles() }
        } catch {
            if inbound.canDeliver, inbound.kept.isEmpty { violated(error) } else { inbound.violation = error }
            return UnsafeRawBufferPointer(rebasing: input[input.count...])
        }
        return input
    }

    /// Handles belong to a message; those that came with anything else do not match.
    private func checkHandles() throws(WireError) {
        let open = inbound.decoder.openPosition
        if let stray = inbound.handles.stray(before: inbound.decoder.position, open: open) {
            throw .handlesDoNotMatch(announced: 0, received: stray)
        }
    }

    private func deliver(_ frame: consuming InboundFrame) throws(WireError) {
        if dialect == .node {
            try deliverLine(frame)
            if let memory = (consume frame).spentMemory() { inbound.decoder.recycle(memory) }
            return
        }
        var handles: SharedDescriptors?
        if frame.handleCount > 0 {
            handles = try takeHandles(frame.handleCount, at: frame.position)
            // Said already; the message is nothing without them.
            if handles == nil { return }
        }
        switch frame.kind {
        case .hello:
            adopt(try frame.withBytes { bytes throws(WireError) in try Hello(body: bytes) })
        case .abort:
            inbound.delegate?.channelFailed(.aborted(frame.withBytes { Abort(body: $0) }))
        case .bytes:
            let bytes = frame.bytes()
            give(InboundMessage(content: .bytes(bytes), handles: handles, byteCount: bytes.count))
        case .message:
            do throws(JSONError) {
                let message = try frame.withBytes { bytes throws(JSONError) in
                    InboundMessage(
                        content: .json(try JSONDocument(parsing: bytes)), handles: handles, byteCount: bytes.count)
                }
                if let memory = (consume frame).spentMemory() { inbound.decoder.recycle(memory) }
                give(message)
            } catch {
                inbound.delegate?.channelFailed(.badPayload(error))
            }
        }
    }

    /// The handles of a message; nil where it has to do without, and its consumers without it.
    private func takeHandles(_ announced: Int, at position: UInt64) throws(WireError) -> SharedDescriptors? {
        switch inbound.handles.take(announced, at: position) {
        case .handles(let handles): return handles
        case .lost where inbound.acceptsHandles: inbound.delegate?.channelFailed(.handlesLost(announced: announced))
        case .lost: inbound.delegate?.channelFailed(.handlesNotTaken(announced: announced))
        case .mismatch(let received): throw .handlesDoNotMatch(announced: announced, received: received)
        }
        return nil
    }

    func give(_ message: InboundMessage) {
        giveOrKeep(.message(message))
    }

    /// Tells what became of a message, after those before it.
    func fail(_ error: ChannelError) {
        giveOrKeep(.failure(error))
    }

    private func giveOrKeep(_ new: Kept) {
        if inbound.canDeliver, inbound.kept.isEmpty { handOver(new) } else { inbound.keep(new) }
    }

    private func handOver(_ kept: Kept) {
        switch kept {
        case .failure(let error): inbound.delegate?.channelFailed(error)
        case .message(let message): inbound.delegate?.channelReceived(message)
        }
    }

    private func deliverEnd() {
        do throws(WireError) {
            try inbound.decoder.endOfStream()
        } catch {
            tell(error)
        }
        endDelivery()
    }

    private func tell(_ error: WireError) {
        if let opening = inbound.decoder.foreignOpening {
            inbound.delegate?.channelFailed(.notSpoken(opening: opening, error))
        } else {
            inbound.delegate?.channelFailed(.protocolViolation(error))
        }
    }

    /// Nothing that comes after a broken frame can be trusted.
    private func violated(_ error: WireError) {
        tell(error)
        abort(error)
        if !inbound.isExhausted {
            inbound.isExhausted = true
            inbound.delegate?.channelExhausted(hasUnread: false)
        }
        closeIfDone()
        endDelivery()
    }

    private func endDelivery() {
        inbound.isDelivered = true
        _ = inbound.handles.removeAll()
        inbound.leftover = []
        inbound.leftoverStart = 0
        inbound.delegate?.channelDelivered()
        inbound.keptDelegate = nil
    }
}
