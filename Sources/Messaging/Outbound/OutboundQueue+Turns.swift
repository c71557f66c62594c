internal import DequeModule
internal import Wire

// Who is next: control frames, what is cut into frames already, and the turns of those that are not.
extension OutboundQueue {
    /// How much of what takes turns is cut in advance: with more a message would wait longer behind it, and with less
    /// each would be a system call of its own.
    private static let cutSize = 256 * 1024

    /// Moves what can be written into `ready`.
    mutating func fill() {
        if control.isEmpty, turns.isEmpty, cancelled.isEmpty { return }
        if case .aborting = state { return }
        if let hello = control.takeHello() { ready.prepend(Chunk(hello, .hello)) }
        if !control.isEmpty {
            let chunk = Chunk(control.take(), .control)
            // Between two frames: behind what is left of one that has been begun, and behind control frames that wait
            // already. A later pong must not overtake an earlier one.
            var index = begunCount
            while index < ready.count, ready[index].content == .control { index += 1 }
            ready.insert(chunk, at: index)
        }
        if !cancelled.isEmpty {
            ready.append(Chunk(cancelled.flatMap { FrameEncoder.control(.cancel, id: $0) }, .control))
            cancelled = []
        }
        if turns.isEmpty { return }
        var count = ready.reduce(0) { $0 + ($1.isCut ? $1.count : 0) }
        // One of them stands there in any case, so that none is overtaken for ever.
        while count < Self.cutSize, count == 0 || ready.count < Self.chunksPerBatch, let lane = turns.popFirst() {
            count += cut(lane)
        }
    }

    /// How many chunks belong to a frame that has been begun.
    private var begunCount: Int {
        guard let first = ready.first else { return 0 }
        switch first.content {
        case .hello, .body: return 1
        case .header: return first.range.lowerBound > 0 ? 2 : 0
        case .frames, .lines, .control, .end: return first.isBegun ? 1 : 0
        }
    }

    /// Cuts the next frame of a lane whose turn it is. Returns its size.
    private mutating func cut(_ lane: Lane) -> Int {
        switch lane {
        case .main:
            let hasBegun = main.hasBegunFirst
            let count: Int
            if main.isMessageNext {
                count = main.cut(into: &ready)?.count ?? 0
            } else {
                count = main.cutFrames(into: &ready)
            }
            if hasBegun { countHeader() }
            main.isQueued = false
            enqueue(.main)
            return count
        case .conversation(let key):
            guard lanes[key] != nil else { return 0 }
            if lanes[key]?.id == nil {
                guard let id = conversations.open(key) else {
                    // The peer allows no more for now; the order of those that wait is kept.
                    unopened.append(key)
                    return 0
                }
                lanes[key]?.id = id
            }
            let hasBegun = lanes[key]?.hasBegunFirst ?? false
            guard let header = lanes[key]?.cut(into: &ready) else { return 0 }
            if hasBegun { countHeader() }
            lanes[key]?.isQueued = false
            note(header, key)
            enqueue(lane)
            return header.count
        }
    }

    /// The header of the frame that was cut last is written, too; that of a message's first frame has been counted.
    private mutating func countHeader() {
        guard let last = ready.last else { return }
        progress.requeued(FrameHeader.size, epoch: last.epoch)
    }

    /// What the frame means for its conversation.
    private mutating func note(_ header: FrameHeader, _ key: ConversationKey) {
        let isLast = header.kind == .end || header.flags.isDisjoint(with: [.more, .open])
        guard isLast else { return }
        if header.kind == .failure {
            conversations.remove(header.id)
        } else {
            conversations.endHere(header.id)
        }
        // The other direction may still need credit.
        if conversations.key(of: header.id) == nil { control.forget(header.id) }
        lanes[key] = nil
    }

    /// Puts the lane among those who take turns, if it has a frame to send.
    mutating func enqueue(_ lane: Lane) {
        switch lane {
        case .main:
            let limit = peerLimits == nil ? Hello.Limits.floor.message : Int.max
            guard !main.isQueued, main.maySend(messagesUpTo: limit) else { return }
            main.isQueued = true
        case .conversation(let key):
            guard let entry = lanes[key], !entry.isQueued, entry.maySend(messagesUpTo: .max), peerLimits != nil else {
                return
            }
            lanes[key]?.isQueued = true
        }
        turns.append(lane)
    }

    var hasBatch: Bool {
        if case .aborting = state { return !ready.isEmpty }
        if let answers = handshake {
            if let first = ready.first, !answers.isWaiting || first.isBegun { return true }
            return answers.hasAnswer
        }
        return !ready.isEmpty || !control.isEmpty || !turns.isEmpty || !cancelled.isEmpty
    }

    mutating func takeFirst() -> Chunk? {
        guard let answers = handshake else { return ready.popFirst() }
        // What has been begun is ended first.
        if let first = ready.first, first.isBegun { return ready.removeFirst() }
        if answers.hasAnswer { return handshake?.popAnswer() }
        return isHeldBack ? nil : ready.popFirst()
    }

    // MARK: What the peer allows

    /// The peer's hello has come. Returns the lengths of messages that it does not take, which are thrown away.
    mutating func peerAnnounced(_ limits: Hello.Limits) -> (action: Action, refused: [Int]) {
        peerLimits = limits
        main.credit.raise(to: UInt64(limits.window))
        conversations.peerAnnounced(limits.ids)
        let refused = discard(longerThan: limits.message)
        enqueue(.main)
        for key in keysWithoutID {
            lanes[key]?.credit = SendingCredit(limit: limits.window)
            enqueue(.conversation(key))
        }
        return (nextAction(), refused)
    }

    mutating func credited(_ id: UInt64, limit: UInt64, highestID: UInt64) -> Action {
        raiseHighestID(to: highestID)
        if id == 0 {
            main.credit.raise(to: limit)
            enqueue(.main)
        } else if let key = conversations.key(of: id) {
            lanes[key]?.credit.raise(to: limit)
            enqueue(.conversation(key))
        }
        return nextAction()
    }

    mutating func allowed(highestID: UInt64) -> Action {
        raiseHighestID(to: highestID)
        return nextAction()
    }

    private mutating func raiseHighestID(to highestID: UInt64) {
        conversations.raiseHighestOwn(to: highestID)
        // Before those that were opened later and have not had their turn.
        turns.prepend(contentsOf: unopened.map { .conversation($0) })
        unopened.removeAll()
    }

    /// Queues a control frame.
    mutating func say(_ change: (inout ControlFrames) -> Void) -> Action {
        switch state {
        case .aborting, .failed: return .none
        case .open, .finishing, .ending, .ended: break
        }
        change(&control)
        return nextAction()
    }

    // MARK: Waiting

    enum WaitAction: Equatable {
        case finished
        case wait
        /// What was accepted has been thrown away, or may have been.
        case failed(Closing)
    }

    /// Waits, under an id, until all that has been accepted is written.
    mutating func wait(_ id: UInt64) -> WaitAction {
        let action = waitAction
        if action == .wait { progress.wait(id) }
        return action
    }

    /// Whether one would have to wait.
    var waitAction: WaitAction {
        if let loss { return .failed(loss) }
        return queuedCount == 0 ? .finished : .wait
    }

    /// Those who need not wait any longer, because what they waited for was thrown away.
    mutating func takeFinishedWaiters() -> [UInt64] {
        progress.takeFinishedWaiters()
    }

    /// Forgets a waiter; false where it has been given out already.
    mutating func cancelWait(_ id: UInt64) -> Bool {
        progress.cancelWait(id)
    }
}
