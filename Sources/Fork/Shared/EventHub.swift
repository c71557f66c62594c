internal import DequeModule
internal import Messaging
internal import Reactor

/// Who hears of what, and in which order.
///
/// Subscribing and cancelling are for any thread and take effect on the loop, in the order of the calls. Who has
/// subscribed hears every message that is told after that.
final class EventHub: @unchecked Sendable {
    // All variables are touched only on the loop, but for `source`, which is set before there is a second thread.
    /// What other threads have asked for. Looked at before each message: the answer to a request can be read before the
    /// loop comes to the job that attaches the handler for it.
    let changes = PendingChanges<Change>()
    private let loop: MessageLoop
    private let channel: Channel
    private let outputs: [PipeReader]
    /// Told of the errors that nobody hears.
    private let reportUnheard: @Sendable (ForkError) -> Void
    private weak var source: (any EventSource)?
    // Not checked for exclusive access, which would be done for every message: each change is one statement that calls
    // nobody.
    @exclusivity(unchecked) private var entries: [Entry] = []
    /// What was read and nobody has taken, because the last consumer had gone. The next one gets it first, and nothing
    /// more is read until then.
    @exclusivity(unchecked) private var unclaimed = Deque<Message>()
    private var nextMessage: UInt64 = 0
    private var lifecycle: Lifecycle
    /// This object, while its close event waits for outputs: nothing else may keep it.
    private var keptUntilClose: EventHub?
    /// The close event has come, whatever becomes of outputs that nobody reads.
    private var isClosed = false
    /// Errors that nobody was there to hear, for the first who is. Only so many: a bad peer must not fill the memory.
    private var unheardErrors: [ForkError] = []
    private static let unheardErrorLimit = 16
    /// Much longer than it takes to attach handlers, also on a machine that is busy.
    private static let consumerGrace = Duration.seconds(1)
    /// They keep the loop, and so its thread, until they fire or are cancelled.
    private var graceTimers: [PartialKeyPath<Lifecycle>: MessageLoop.TimerID] = [:]

    init(
        loop: MessageLoop, channel: Channel, hasProcess: Bool, outputs: [PipeReader] = [],
        reportUnheard: @escaping @Sendable (ForkError) -> Void
    ) {
        self.reportUnheard = reportUnheard
        self.loop = loop
        self.channel = channel
        self.outputs = outputs
        lifecycle = Lifecycle(hasProcess: hasProcess)
    }

    /// Says whose events these are. Before anything else.
    func belong(to source: any EventSource) {
        self.source = source
        for output in outputs {
            output.listen { [weak self] in self?.onLoop { $0.tellTerminals() } }
        }
    }

    /// Does something on the loop. The source is kept until then: what is waiting for a consumer reaches it only by way
    /// of the source. From any thread.
    func onLoop(_ body: @escaping @Sendable (EventHub) -> Void) {
        loop.execute { [self, source] in
            withExtendedLifetime(source) { body(self) }
        }
    }

    // MARK: On the loop

    private var hasConsumer: Bool {
        entries.contains { $0.interest.contains(.message) && !$0.subscription.isCancelled }
    }

    /// Whether the last events have to wait for messages that are wanted. They do also for one who has cancelled and is
    /// still there: another may be about to take the place.
    private var wantsMessages: Bool {
        entries.contains { $0.interest.contains(.message) }
    }

    /// All that will ever happen has happened, and everybody has been told.
    var isFinished: Bool {
        lifecycle.isExhausted && lifecycle.isOver(hasConsumer: wantsMessages, hasUnclaimed: !unclaimed.isEmpty)
    }

    var isDelivered: Bool { lifecycle.isDelivered }

    /// No consumer has yet to see something that was told.
    var isConsumed: Bool {
        !entries.contains { $0.lagsBehind && !$0.subscription.isCancelled }
    }

    func received(_ inbound: InboundMessage) {
        applyChanges()
        let message = Message(inbound: inbound, number: nextMessage)
        nextMessage += 1
        if unclaimed.isEmpty, tell(.message, .message(message)) { return }
        keepUnclaimed([message])
        channel.setConsumer(present: false)
    }

    /// Several consumers may have left the same messages.
    private func keepUnclaimed(_ messages: [Message]) {
        if messages.isEmpty { return }
        let known = Set(unclaimed.map(\.number))
        let all = unclaimed + messages.filter { !known.contains($0.number) }
        unclaimed = Deque(all.sorted { $0.number < $1.number })
        if lifecycle.hasProcess, lifecycle.isExhausted { giveGrace(\.awaitsConsumer) }
    }

    /// Tells those who are there now what the last consumer left.
    private func tellUnclaimed() {
        while true {
            applyChanges()
            guard hasConsumer, !entries.contains(where: \.isSaturated), let message = unclaimed.popFirst() else {
                return
            }
            if tell(.message, .message(message)) { continue }
            unclaimed.prepend(message)
            return
        }
    }

    func failed(_ error: ForkError) {
        applyChanges()
        if !tell(.error, .error(error)) { keep([error]) }
    }

    func exhausted(hasUnread: Bool) {
        lifecycle.isExhausted = true
        if hasUnread || lifecycle.hasProcess && !unclaimed.isEmpty, !hasConsumer { giveGrace(\.awaitsConsumer) }
        tellTerminals()
    }

    /// Holds the last events back for a moment. Handlers are attached one by one, and a child can be quicker than that:
    /// its end must not be told to the first while the one for its messages, or for its output, is still to come.
    private func giveGrace(_ reason: any WritableKeyPath<Lifecycle, Bool> & Sendable) {
        if isClosed { return }
        lifecycle[keyPath: reason] = true
        let timer = loop.schedule(after: Self.consumerGrace) { [self] in
            lifecycle[keyPath: reason] = false
            tellTerminals()
        }
        if let earlier = graceTimers.updateValue(timer, forKey: reason) { loop.cancel(earlier) }
    }

    func delivered() {
        lifecycle.isExhausted = true
        lifecycle.isDelivered = true
        tellTerminals()
    }

    func exited(_ status: ChildProcess.ExitStatus) {
        lifecycle.exitStatus = status
        if outputs.contains(where: { $0.use == .unclaimed }) { giveGrace(\.awaitsOutputConsumer) }
        tellTerminals()
    }

    /// Nobody refers to the source any more, so that nobody can come for what is left.
    func sourceHasGone() {
        loop.execute { [self] in
            lifecycle.awaitsConsumer = false
            if entries.isEmpty { close() }
            tellTerminals()
        }
    }

    /// Nothing more will be told to those who are there, nor waited for.
    private func close() {
        isClosed = true
        keptUntilClose = nil
        for timer in graceTimers.values { loop.cancel(timer) }
        graceTimers = [:]
    }

    func applyChanges() {
        guard changes.isPending else { return }
        // One at a time: what is applied may ask for more, which comes after the rest.
        while let change = changes.popFirst() {
            switch change {
            case .attach(let entry): attach(entry)
            case .giveBack(let events, let subscription): takeBack(events, subscription)
            }
        }
        // Later, so that handlers attached in one go all hear the first message.
        onLoop { $0.update() }
    }

    private func takeBack(_ events: [ChildProcess.Event], _ subscription: Subscription) {
        let others = entries.filter { !$0.subscription.isCancelled && $0.subscription !== subscription }
        // From here on others have heard them, or will.
        let end = others.filter { $0.interest.contains(.message) }.map(\.firstMessage).min() ?? .max
        var messages: [Message] = []
        var errors: [ForkError] = []
        for event in events {
            switch event {
            case .message(let message) where message.number < end: messages.append(message)
            case .error(let error) where !others.contains(where: { $0.interest.contains(.error) }): errors.append(error)
            default: break
            }
        }
        keepUnclaimed(messages)
        keep(errors)
    }

    private func keep(_ errors: [ForkError]) {
        for error in errors.prefix(Self.unheardErrorLimit - unheardErrors.count) {
            unheardErrors.append(error)
            reportUnheard(error)
        }
    }

    private func attach(_ entry: Entry) {
        guard !entry.subscription.isCancelled else { return }
        var entry = entry
        entry.firstMessage = unclaimed.first?.number ?? nextMessage
        entries.append(entry)
        if entry.interest.contains(.spawn) { _ = entry.sink(.spawn) }
        if entry.interest.contains(.error) {
            let errors = unheardErrors
            unheardErrors = []
            for error in errors { _ = entry.sink(.error(error)) }
        }
    }

    func detach(_ subscription: Subscription) {
        setSaturated(false, subscription)
        let detached = entries.filter { $0.subscription === subscription }
        entries.removeAll { $0.subscription === subscription }
        // As with those that are finished.
        withExtendedLifetime(detached) {}
        update()
        // A consumer that has gone is not waited for.
        source?.consumersProgressed()
    }

    /// Consumers have come or gone.
    private func update() {
        tellUnclaimed()
        channel.setConsumer(present: hasConsumer && unclaimed.isEmpty)
        tellTerminals()
    }

    func setCaughtUp(_ subscription: Subscription) {
        guard let index = entries.firstIndex(where: { $0.subscription === subscription }) else { return }
        entries[index].lagsBehind = false
        dropFinished()
        source?.consumersProgressed()
    }

    func setSaturated(_ isSaturated: Bool, _ subscription: Subscription) {
        guard let index = entries.firstIndex(where: { $0.subscription === subscription }),
            entries[index].isSaturated != isSaturated
        else { return }
        entries[index].isSaturated = isSaturated
        if isSaturated { return channel.pause() }
        channel.resume()
        if !unclaimed.isEmpty { update() }
    }

    /// Tells everybody who is interested; whether there was anybody.
    @discardableResult
    private func tell(_ interest: Interest, _ event: ChildProcess.Event) -> Bool {
        var wasHeard = false
        // Those who come meanwhile hear the next one.
        for entry in entries where entry.interest.contains(interest) && !entry.subscription.isCancelled {
            switch entry.sink(event) {
            case .taken: wasHeard = true
            case .saturated:
                wasHeard = true
                setSaturated(true, entry.subscription)
            case .gone: break
            }
        }
        return wasHeard
    }

    private func tellTerminals() {
        // Outputs matter only once the child has ended.
        let uses = lifecycle.exitStatus == nil || isClosed ? [] : outputs.map(\.use)
        let events = lifecycle.terminalEvents(
            hasConsumer: wantsMessages, hasUnclaimed: !unclaimed.isEmpty, outputs: uses)
        if case .close = events.last { close() }
        if case .exit = events.last, !entries.isEmpty { keptUntilClose = self }
        for (position, event) in events.enumerated() {
            for index in entries.indices where entries[index].passedTerminals == position {
                entries[index].passedTerminals += 1
                let entry = entries[index]
                if entry.interest.contains(event.interest), !entry.subscription.isCancelled { _ = entry.sink(event) }
            }
        }
        dropFinished()
    }

    /// Lets those go who have been told that nothing more will happen: most handlers refer to the child that refers to
    /// them.
    private func dropFinished() {
        // In this order: an iteration first says what it leaves, and is cancelled then.
        let isAwaited = !isConsumed || changes.isPending
        let finished = entries.filter { $0.isOver(isAwaited: isAwaited) }
        if !finished.isEmpty { entries.removeAll { $0.isOver(isAwaited: isAwaited) } }
        // Let go only now: what they hold may end with them, and its end come back here.
        withExtendedLifetime(finished) {}
    }
}
