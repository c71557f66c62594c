/// What an iterator listens with. What it has not taken when it goes is given back, for the next one.
///
/// Only the iterator refers to this, and so it goes the moment the iterator does: the loop refers to the buffer alone.
/// What it leaves is then given back before another iterator can be made.
final class EventConsumer: Sendable {
    private let source: any EventSource
    private let buffer: EventBuffer
    private let subscription: Subscription

    /// Begins to listen to the events of interest, up to and with the end.
    init(_ source: any EventSource, _ events: EventSet, until end: EventSet) {
        let buffer = EventBuffer()
        self.source = source
        self.buffer = buffer
        subscription = source.emitter.subscribe(events.union(end), lagsBehind: true) { event in
            let result = events.contains(event.kind) ? buffer.push(event) : .taken
            if event.kind == end { buffer.finish() }
            return result
        }
        source.ensureDriven()
    }

    deinit {
        let events = buffer.close()
        if !events.isEmpty { source.emitter.giveBack(events, subscription) }
        subscription.cancel()
    }

    /// The next event; nil at the end, and if the task is cancelled.
    func next() async -> ChildProcess.Event? {
        switch await buffer.next() {
        case .event(let event, let isRelieved):
            if isRelieved { source.emitter.resume(subscription) }
            return event
        case .end:
            source.emitter.caughtUp(subscription)
            return nil
        case .cancelled: return nil
        }
    }
}

/// Where events come from. An iterator keeps it alive.
protocol EventSource: AnyObject, Sendable {
    var emitter: EventEmitter { get }
    /// Makes sure that some thread drives the loop.
    func ensureDriven()
    /// A consumer has seen the end. On the loop.
    func consumersProgressed()
}
