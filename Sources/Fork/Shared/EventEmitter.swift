internal import Messaging
internal import Reactor

/// Tells of the events of a connection: who hears of what, and in which order.
///
/// Subscribing and cancelling are for any thread and take effect on the loop, in the order of the calls. Who has
/// subscribed hears every message that is told after that.
final class EventEmitter: @unchecked Sendable {
    // All variables are touched only on the loop, but for `connection`, which is set before there is a second thread.
    /// What other threads have asked for. Looked at before each message: the answer to a request can be read before the
    /// loop comes to the job that attaches the handler for it.
    let changes = PendingChanges<Change>()
    weak var connection: Connection?
    private let channel: Channel
    /// How the child's piped outputs are used.
    private let outputUses: @Sendable () -> [OutputUse]
    /// Told of the errors that nobody hears.
    private let reportUnheard: @Sendable (ForkError) -> Void
    // Not checked for exclusive access, which would be done for every message: each change is one statement that calls
    // nobody.
    @exclusivity(unchecked) private var listeners: [EventListener] = []
    /// Nothing more is read until these have been taken.
    @exclusivity(unchecked) private var unclaimed = UnclaimedMessages()
    private var nextMessage: UInt64 = 0
    private var lifecycle: Lifecycle
    /// This object, while its close event waits for outputs: nothing else may keep it.
    private var keptUntilClose: EventEmitter?
    /// The close event has come, whatever becomes of outputs that nobody reads.
    private var isClosed = false
    private var unheardErrors = UnheardErrors()
    /// They keep the loop, and so its thread, until they fire or are cancelled.
    private var graceTimers: [PartialKeyPath<Lifecycle>: MessageLoop.TimerID] = [:]
    /// Much longer than it takes to attach handlers, also on a machine that is busy.
    private static let consumerGrace = Duration.seconds(1)

    init(
        _ channel: Channel, hasProcess: Bool, outputUses: @escaping @Sendable () -> [OutputUse],
        reportUnheard: @escaping @Sendable (ForkError) -> Void
    ) {
        self.channel = channel
        self.outputUses = outputUses
        self.reportUnheard = reportUnheard
        lifecycle = Lifecycle(hasProcess: hasProcess)
    }

    /// Does something on the loop. The connection is kept until then: what is waiting for a consumer reaches it only by
    /// way of the connection. From any thread.
    func onLoop(_ body: @escaping @Sendable (EventEmitter) -> Void) {
        channel.loop.execute { [self, connection] in
            withExtendedLifetime(connection) { body(self) }
        }
    }

    // MARK: On the loop

    private var hasConsumer: Bool {
        listeners.contains { $0.events.contains(.message) && !$0.subscription.isCancelled }
    }

    /// Whether the last events have to wait for messages that are wanted. They do also for one who has cancelled and is
    /// still there: another may be about to take the place.
    private var wantsMessages: Bool {
        listeners.contains { $0.events.contains(.message) }
    }

    /// All that will ever happen has happened, and everybody has been told.
    var isFinished: Bool {
        lifecycle.isExhausted && lifecycle.isOver(hasConsumer: wantsMessages, hasUnclaimed: !unclaimed.isEmpty)
    }

    var isDelivered: Bool { lifecycle.isDelivered }

    /// No consumer has yet to see something that was told.
    var isConsumed: Bool {
        !listeners.contains { $0.lagsBehind && !$0.subscription.isCancelled }
    }

    func received(_ inbound: consuming InboundMessage) {
        applyChanges()
        let event = Event.message(Message(inbound: consume inbound, number: nextMessage))
        nextMessage += 1
        if unclaimed.isEmpty, tell(.message, event) { return }
        if case .message(let message) = event { keep([message]) }
        channel.setConsumer(present: false)
    }

    private func keep(_ messages: [Message]) {
        if messages.isEmpty { return }
        unclaimed.insert(messages)
        if lifecycle.hasProcess, lifecycle.isExhausted { giveGrace(\.awaitsConsumer) }
    }

    /// Tells those who are there now what the last consumer left.
    private func tellUnclaimed() {
        while true {
            applyChanges()
            guard hasConsumer, !listeners.contains(where: \.isSaturated), let message = unclaimed.popFirst() else {
                return
            }
            if tell(.message, .message(message)) { continue }
            unclaimed.putBack(message)
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
        let timer = channel.loop.schedule(after: Self.consumerGrace) { [self] in
            lifecycle[keyPath: reason] = false
            tellTerminals()
        }
        if let earlier = graceTimers.updateValue(timer, forKey: reason) { channel.loop.cancel(earlier) }
    }

    func delivered() {
        lifecycle.isExhausted = true
        lifecycle.isDelivered = true
        tellTerminals()
    }

    func exited(_ status: ChildProcess.ExitStatus) {
        lifecycle.exitStatus = status
        if outputUses().contains(.unclaimed) { giveGrace(\.awaitsOutputConsumer) }
        tellTerminals()
    }

    /// Nobody refers to the connection any more, so that nobody can come for what is left.
    func connectionHasGone() {
        channel.loop.execute { [self] in
            lifecycle.awaitsConsumer = false
            if listeners.isEmpty { close() }
            tellTerminals()
        }
    }

    /// Nothing more will be told to those who are there, nor waited for.
    private func close() {
        isClosed = true
        keptUntilClose = nil
        for timer in graceTimers.values { channel.loop.cancel(timer) }
        graceTimers = [:]
    }

    func applyChanges() {
        guard changes.isPending else { return }
        // One at a time: what is applied may ask for more, which comes after the rest.
        while let change = changes.popFirst() {
            switch change {
            case .attach(let listener): attach(listener)
            case .giveBack(let events, let subscription): takeBack(events, subscription)
            }
        }
        // Later, so that handlers attached in one go all hear the first message.
        onLoop { $0.update() }
    }

    private func takeBack(_ events: [Event], _ subscription: Subscription) {
        let others = listeners.filter { !$0.subscription.isCancelled && $0.subscription !== subscription }
        // From here on others have heard them, or will.
        let end = others.filter { $0.events.contains(.message) }.map(\.firstMessage).min() ?? .max
        var messages: [Message] = []
        var errors: [ForkError] = []
        for event in events {
            switch event {
            case .message(let message) where message.number < end: messages.append(message)
            case .error(let error) where !others.contains(where: { $0.events.contains(.error) }): errors.append(error)
            default: break
            }
        }
        keep(messages)
        keep(errors)
    }

    private func keep(_ errors: [ForkError]) {
        for error in unheardErrors.add(errors) { reportUnheard(error) }
    }

    private func attach(_ listener: EventListener) {
        guard !listener.subscription.isCancelled else { return }
        var listener = listener
        listener.firstMessage = unclaimed.firstNumber ?? nextMessage
        listeners.append(listener)
        if listener.events.contains(.spawn) { _ = listener.sink(.spawn) }
        if listener.events.contains(.error) {
            for error in unheardErrors.takeAll() { _ = listener.sink(.error(error)) }
        }
    }

    func detach(_ subscription: Subscription) {
        setSaturated(false, subscription)
        let detached = listeners.filter { $0.subscription === subscription }
        listeners.removeAll { $0.subscription === subscription }
        // As with those that are finished.
        withExtendedLifetime(detached) {}
        update()
        // A consumer that has gone is not waited for.
        connection?.consumersProgressed()
    }

    /// Consumers have come or gone.
    private func update() {
        tellUnclaimed()
        channel.setConsumer(present: hasConsumer && unclaimed.isEmpty)
        tellTerminals()
    }

    func setCaughtUp(_ subscription: Subscription) {
        guard let index = listeners.firstIndex(where: { $0.subscription === subscription }) else { return }
        listeners[index].lagsBehind = false
        dropFinished()
        connection?.consumersProgressed()
    }

    func setSaturated(_ isSaturated: Bool, _ subscription: Subscription) {
        guard let index = listeners.firstIndex(where: { $0.subscription === subscription }),
            listeners[index].isSaturated != isSaturated
        else { return }
        listeners[index].isSaturated = isSaturated
        if isSaturated { return channel.pause() }
        channel.resume()
        if !unclaimed.isEmpty { update() }
    }

    /// Tells everybody who is interested; whether there was anybody.
    @discardableResult
    private func tell(_ kind: EventSet, _ event: Event) -> Bool {
        var wasHeard = false
        // Those who come meanwhile hear the next one.
        for listener in listeners where listener.events.contains(kind) && !listener.subscription.isCancelled {
            switch listener.sink(event) {
            case .taken: wasHeard = true
            case .saturated:
                wasHeard = true
                setSaturated(true, listener.subscription)
            case .gone: break
            }
        }
        return wasHeard
    }

    /// How an output is used may have changed. From any thread.
    func outputsChanged() {
        onLoop { $0.tellTerminals() }
    }

    private func tellTerminals() {
        // Outputs matter only once the child has ended.
        let uses = lifecycle.exitStatus == nil || isClosed ? [] : outputUses()
        let events = lifecycle.terminalEvents(
            hasConsumer: wantsMessages, hasUnclaimed: !unclaimed.isEmpty, outputs: uses)
        if case .close = events.last { close() }
        if case .exit = events.last, !listeners.isEmpty { keptUntilClose = self }
        for (position, event) in events.enumerated() {
            for index in listeners.indices where listeners[index].passedTerminals == position {
                listeners[index].passedTerminals += 1
                let listener = listeners[index]
                if listener.events.contains(event.kind), !listener.subscription.isCancelled { _ = listener.sink(event) }
            }
        }
        dropFinished()
    }

    /// Lets those go who have been told that nothing more will happen: most handlers refer to the child that refers to
    /// them.
    private func dropFinished() {
        // In this order: an iteration first says what it leaves, and is cancelled then.
        let isAwaited = !isConsumed || changes.isPending
        let finished = listeners.filter { $0.isOver(isAwaited: isAwaited) }
        if !finished.isEmpty { listeners.removeAll { $0.isOver(isAwaited: isAwaited) } }
        // Let go only now: what they hold may end with them, and its end come back here.
        withExtendedLifetime(finished) {}
    }
}
