internal import Messaging
internal import Reactor

/// Who hears of what, and in which order.
///
/// Subscribing and cancelling are for any thread and take effect on the loop, in the order of the calls.
final class EventHub: @unchecked Sendable {
    // All variables are touched only on the loop, but for `source`, which is set before there is a second thread.
    private let loop: MessageLoop
    private let channel: Channel
    private let outputs: [PipeReader]
    private weak var source: (any EventSource)?
    // Not checked for exclusive access, which would be done for every message: each change is one statement that calls
    // nobody.
    @exclusivity(unchecked) private var entries: [Entry] = []
    /// The same, while the close event waits for outputs and nothing else keeps it.
    private var waitingSource: (any EventSource)?
    private var lifecycle: Lifecycle
    /// The close event has come, whatever becomes of outputs that nobody reads.
    private var isClosed = false
    /// Errors that nobody was there to hear, for the first who is. Only so many: a bad peer must not fill the memory.
    private var unheardErrors: [ForkError] = []
    private static let unheardErrorLimit = 16
    /// Much longer than it takes to attach handlers, also on a machine that is busy.
    private static let consumerGrace = Duration.seconds(1)

    /// Hears an event; true where it can take no more messages for now.
    typealias Sink = @Sendable (ChildProcess.Event) -> Bool

    private struct Entry {
        let subscription: Subscription
        let interest: Interest
        let sink: Sink
        /// How many of the terminal events it has passed.
        var passedTerminals = 0
        var isSaturated = false
        /// It takes its events later than they are told, and has not seen the last one.
        var lagsBehind = false

        /// It has passed the close event. Where it was cancelled while saturated, that has to be undone first.
        var isFinished: Bool { passedTerminals == 3 && !isSaturated }
    }

    init(loop: MessageLoop, channel: Channel, hasProcess: Bool, outputs: [PipeReader] = []) {
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

    // MARK: From any thread

    /// - Parameter lagsBehind: the sink keeps what it is told for a consumer, and says with `caughtUp` when that has seen
    ///   the end.
    func subscribe(
        _ interest: Interest, lagsBehind: Bool = false, _ sink: @escaping Sink
    ) -> Subscription {
        let subscription = Subscription { [weak self] subscription in
            guard let self else { return }
            // Later, so that one who is attached in the same go is there before this one has gone.
            onLoop { hub in hub.onLoop { $0.detach(subscription) } }
        }
        onLoop {
            $0.attach(Entry(subscription: subscription, interest: interest, sink: sink, lagsBehind: lagsBehind))
        }
        return subscription
    }

    /// The source is kept until it has been done: what is waiting for a consumer reaches it only by way of the source.
    private func onLoop(_ body: @escaping @Sendable (EventHub) -> Void) {
        loop.execute { [self, source] in
            withExtendedLifetime(source) { body(self) }
        }
    }

    /// Attaches a handler of one kind of event; what it throws becomes an error event.
    func handle(
        _ interest: Interest, _ handler: @escaping @Sendable (ChildProcess.Event) throws -> Void
    ) -> Subscription {
        subscribe(interest) { [weak self] event in
            do {
                try handler(event)
            } catch {
                self?.failed(ForkError(.handlerFailed, "A handler threw: \(ForkError.text(of: error))", cause: error))
            }
            return false
        }
    }

    /// A sink that was saturated can take messages again.
    func resume(_ subscription: Subscription) {
        onLoop { $0.setSaturated(false, subscription) }
    }

    /// The consumer of a sink that lags behind has seen the end.
    func caughtUp(_ subscription: Subscription) {
        onLoop { hub in
            guard let index = hub.entries.firstIndex(where: { $0.subscription === subscription }) else { return }
            hub.entries[index].lagsBehind = false
            hub.source?.consumersProgressed()
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
        lifecycle.isExhausted && lifecycle.isOver(hasConsumer: wantsMessages)
    }

    var isDelivered: Bool { lifecycle.isDelivered }

    /// No consumer has yet to see something that was told.
    var isConsumed: Bool {
        !entries.contains { $0.lagsBehind && !$0.subscription.isCancelled }
    }

    /// False where nobody is there to take it.
    func received(_ message: Message) -> Bool {
        tell(.message, .message(message))
    }

    func failed(_ error: ForkError) {
        if !tell(.error, .error(error)), unheardErrors.count < Self.unheardErrorLimit { unheardErrors.append(error) }
    }

    func exhausted(hasUnread: Bool) {
        lifecycle.isExhausted = true
        if hasUnread, !hasConsumer { waitForConsumer() }
        tellTerminals()
    }

    /// Handlers are attached one by one, and a child can be quicker than that: its end must not be told to the first while
    /// the one for its messages is still to come.
    private func waitForConsumer() {
        lifecycle.awaitsConsumer = true
        _ = loop.schedule(after: Self.consumerGrace) { [self] in
            lifecycle.awaitsConsumer = false
            tellTerminals()
        }
    }

    func delivered() {
        lifecycle.isExhausted = true
        lifecycle.isDelivered = true
        tellTerminals()
    }

    func exited(_ status: ChildProcess.ExitStatus) {
        lifecycle.exitStatus = status
        if outputs.contains(where: { $0.use == .unclaimed }) { waitForOutputConsumer() }
        tellTerminals()
    }

    private func waitForOutputConsumer() {
        lifecycle.awaitsOutputConsumer = true
        _ = loop.schedule(after: Self.consumerGrace) { [self] in
            lifecycle.awaitsOutputConsumer = false
            tellTerminals()
        }
    }

    private func attach(_ entry: Entry) {
        guard !entry.subscription.isCancelled else { return }
        entries.append(entry)
        if entry.interest.contains(.spawn) { _ = entry.sink(.spawn) }
        if entry.interest.contains(.error) {
            let errors = unheardErrors
            unheardErrors = []
            for error in errors { _ = entry.sink(.error(error)) }
        }
        // Later, so that handlers attached in one go all hear the first message.
        onLoop { $0.update() }
    }

    private func detach(_ subscription: Subscription) {
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
        channel.setConsumer(present: hasConsumer)
        tellTerminals()
    }

    private func setSaturated(_ isSaturated: Bool, _ subscription: Subscription) {
        guard let index = entries.firstIndex(where: { $0.subscription === subscription }),
            entries[index].isSaturated != isSaturated
        else { return }
        entries[index].isSaturated = isSaturated
        if isSaturated { channel.pause() } else { channel.resume() }
    }

    /// Tells everybody who is interested; whether there was anybody.
    @discardableResult
    private func tell(_ interest: Interest, _ event: ChildProcess.Event) -> Bool {
        var wasHeard = false
        // Entries come and go only by way of the loop, never while this runs.
        for entry in entries where entry.interest.contains(interest) && !entry.subscription.isCancelled {
            wasHeard = true
            if entry.sink(event) { setSaturated(true, entry.subscription) }
        }
        return wasHeard
    }

    private func tellTerminals() {
        // Outputs matter only once the child has ended.
        let uses = lifecycle.exitStatus == nil || isClosed ? [] : outputs.map(\.use)
        let events = lifecycle.terminalEvents(hasConsumer: wantsMessages, outputs: uses)
        if case .close = events.last { isClosed = true }
        waitingSource = if case .exit = events.last { source } else { nil }
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
        let finished = entries.filter { $0.isFinished }
        if !finished.isEmpty { entries.removeAll { $0.isFinished } }
        // Let go only now: what they hold may end with them, and its end come back here.
        withExtendedLifetime(finished) {}
    }
}
