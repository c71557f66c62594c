internal import Reactor
internal import Synchronization
internal import SystemPackage
internal import Wire

// All of this runs on the channel's loop.
extension Channel {
    // MARK: Consumers

    /// Whether anybody takes plain messages.
    package func setConsumer(present: Bool) {
        inbound.queue.hasConsumer = present
        if present { hasHadConsumer.store(true, ordering: .relaxed) }
        inbound.keptDelegate = present && !inbound.queue.isDelivered ? inbound.delegate : nil
        pump()
    }

    /// A consumer is saturated; nothing is delivered until as many `resume` calls have come.
    package func pause() {
        inbound.queue.pauses += 1
    }

    package func resume() {
        inbound.queue.pauses -= 1
        pump()
    }

    /// The process at the other end has ended. What it has written is still read, and then nothing more is waited for,
    /// even where another process holds its end of the socket.
    package func peerProcessEnded() {
        inbound.queue.peerProcessEnded()
        failWriting(.peerEnded)
        pump()
    }

    // MARK: Steps

    func becameReadable(_ readiness: Readiness) {
        if readiness.isPeerClosed { inbound.queue.isPeerClosed = true }
        if readiness.isReadable || readiness.isPeerClosed { inbound.queue.isReadable = true }
        pump()
    }

    /// Takes steps until there is nothing to do, or the turn has done its share.
    func pump() {
        // A call by the delegate: reading on here would overtake what is being delivered. Or the turn has done its
        // share, and what is new is seen by the call that is planned.
        if inbound.isPumping || inbound.isPumpPlanned { return }
        inbound.isPumping = true
        defer { inbound.isPumping = false }
        inbound.queue.beginTurn()
        run()
    }

    private func run() {
        while true {
            let step = inbound.queue.next()
            switch step {
            case .read:
                read()
            case .yield:
                planPump()
                return
            case .wait:
                if !inbound.queue.hasConsumer { hasUnread.store(inbound.queue.hasUnread, ordering: .relaxed) }
                return
            default:
                perform(step)
            }
        }
    }

    private func planPump() {
        inbound.isPumpPlanned = true
        loop.execute {
            self.inbound.isPumpPlanned = false
            self.pump()
        }
    }

    /// Reads what is there, the peer's hello before all, unless another thread does so. Not on the loop.
    package func readWhatIsThere() {
        loop.runIfUndriven { readForCredit() }
    }

    /// Reads and answers what needs no consumer, from within a handler or at the end of the process: somebody waits for
    /// the peer's credit, and nobody else can read it.
    func readForCredit() {
        let wasMuted = inbound.queue.isMuted
        inbound.queue.isMuted = true
        inbound.queue.settle()
        inbound.queue.isReadable = true
        inbound.queue.beginTurn()
        run()
        inbound.queue.isMuted = wasMuted
    }

    // MARK: Reading

    /// How much is read behind a body that is read to its place.
    private static let bufferBehindBody = 4096

    private func read() {
        loop.exchangeSpareMemory(&inbound.queue.spare)
        loop.withReadBuffer { buffer in
            receive(into: buffer)
            while inbound.queue.hasInput { perform(inbound.queue.next()) }
        }
        loop.exchangeSpareMemory(&inbound.queue.spare)
    }

    private func receive(into buffer: UnsafeMutableRawBufferPointer) {
        if inbound.queue.hasReadEnough { return streamEnded() }
        var arrived: ArrivedHandles?
        do throws(Errno) {
            let count: Int
            var direct = 0
            var buffer = buffer
            if inbound.queue.readsDirectly {
                // Behind the body of a frame comes the next header. Of that one's body little shall be copied.
                buffer = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Self.bufferBehindBody])
                let takesHandles = inbound.queue.takesHandles
                (count, direct) = try inbound.queue.readDirectly { space throws(Errno) in
                    try Self.read(descriptor, into: buffer, after: space, takesHandles: takesHandles, &arrived)
                }
            } else {
                count = try Self.read(descriptor, into: buffer, takesHandles: inbound.queue.takesHandles, &arrived)
            }
            if count == 0 { return streamEnded() }
            inbound.queue.received(
                UnsafeRawBufferPointer(rebasing: buffer[..<(count - direct)]), direct: direct, arrived: arrived,
                filledBuffer: count - direct == buffer.count)
        } catch .wouldBlock {
            inbound.queue.socketIsEmpty()
        } catch .connectionReset {
            // The peer ended with something of ours unread. All that it wrote has been read before.
            streamEnded(leftUnread: true)
        } catch {
            streamEnded(.system(error))
        }
    }

    private static func read(
        _ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer,
        after first: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0),
        takesHandles: Bool, _ arrived: inout ArrivedHandles?
    ) throws(Errno) -> Int {
        try System.receive(descriptor, into: buffer, after: first, takesHandles: takesHandles) { arrival in
            let isTruncated = arrival.isTruncated
            arrived = ArrivedHandles(handles: SharedDescriptors(arrival.takeHandles()), isTruncated: isTruncated)
        }
    }

    private func streamEnded(_ error: ChannelError? = nil, leftUnread: Bool = false) {
        // A message that has begun in a conversation that is over is not missed.
        inbound.queue.forget(outbound.withLock { $0.queue.conversations.takeEnded() })
        inbound.queue.streamEnded(error, leftUnread: leftUnread)
    }

    // MARK: What is to be done

    private func perform(_ step: InboundQueue.Step) {
        switch step {
        case .deliver(let message): inbound.delegate?.channelReceived(message)
        case .fail(let error): inbound.delegate?.channelFailed(error)
        case .lookUp(let frame): lookUp(frame)
        case .conversation(let key, let event):
            act { $0.received(event, in: key) }
            tell(key, event)
        case .release(let key): release(key)
        case .hello(let hello): adopt(hello)
        case .credit(let id, let limit, let highestID):
            act { $0.credited(id, limit: limit, highestID: highestID) }
        case .allowed(let highestID): act { $0.allowed(highestID: highestID) }
        case .grant(let id, let limit): say { $0.credit(id, limit: limit) }
        case .ping(let payload): say { $0.pong(payload) }
        case .pong(let payload): inbound.delegate?.channelPonged(payload)
        case .answer(let bytes): answer(bytes)
        case .acknowledged: act { $0.acknowledged() }
        case .refused: handleRefusedByPeer()
        case .peerEnded: peerEnded()
        case .peerGone(let closing): if dialect.isNative { failWriting(closing) }
        case .abort(let error): abort(error)
        case .exhausted(let hasUnread): exhausted(hasUnread: hasUnread)
        case .delivered: delivered()
        case .read, .yield, .wait: break
        }
    }

    private func adopt(_ hello: Hello) {
        let takesHandles = hello.features.contains(Hello.handlesFeature)
        var refused: [Int] = []
        act { queue in
            let (action, lengths) = queue.peerAnnounced(hello.limits)
            refused = lengths
            return action
        } alsoChanging: { outbound in
            outbound.peerMessageLimit = hello.limits.message
            outbound.peerTakesHandles = takesHandles
        }
        for count in refused {
            inbound.delegate?.channelFailed(.tooLong(count: count, limit: hello.limits.message))
        }
    }

    private func peerEnded() {
        var over: [ConversationKey] = []
        act { queue in
            over = queue.peerEnded()
            return queue.nextAction()
        }
        for key in over { tell(key, .abandoned) }
        acknowledgementsEnded()
    }

    private func exhausted(hasUnread: Bool) {
        closeIfDone()
        if let delegate = inbound.delegate {
            delegate.channelExhausted(hasUnread: hasUnread)
        } else {
            finishAfterPeer()
        }
    }

    private func delivered() {
        inbound.delegate?.channelDelivered()
        inbound.keptDelegate = nil
        closeIfDone()
    }

    // MARK: Conversations

    private func lookUp(_ frame: FrameHeader) {
        do throws(WireError) {
            let (verdict, key) = try receive(frame).get()
            try inbound.queue.found(verdict, key)
        } catch {
            perform(inbound.queue.violated(error))
        }
    }

    private func receive(_ frame: FrameHeader) -> Result<(Conversations.Verdict, ConversationKey?), WireError> {
        var found = Result<(Conversations.Verdict, ConversationKey?), WireError>.success((.late, nil))
        var ended: [UInt64] = []
        act { queue in
            ended = queue.conversations.takeEnded()
            do throws(WireError) {
                found = .success(try queue.receive(frame))
            } catch {
                found = .failure(error)
            }
            // A new conversation may be the time to allow more.
            return queue.control.isEmpty ? .none : queue.nextAction()
        }
        inbound.queue.forget(ended)
        return found
    }

    func tell(_ key: ConversationKey, _ event: ConversationEvent) {
        if let delegate = inbound.delegate {
            delegate.channel(self, key, event)
        } else if case .message(_, isOpening: true, _, _) = event {
            refuse(key)
        }
    }

    // MARK: The Node dialect

    private func answer(_ bytes: [UInt8]) {
        var isRefused = false
        act { queue in
            let action = queue.answer(bytes)
            isRefused = action == nil
            return action ?? .none
        }
        if isRefused { perform(inbound.queue.violated(.answersUnread)) }
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
        if !dialect.isNative { act { $0.acknowledgementsEnded() } }
    }
}
