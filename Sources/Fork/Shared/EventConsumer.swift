/// What an iterator listens with. What it has not taken when it goes is given back, for the next one.
///
/// Only the iterator refers to this, and so it goes the moment the iterator does: the loop refers to the buffer alone.
/// What it leaves is then given back before another iterator can be made.
final class EventConsumer: Sendable {
    private let connection: Connection
    private let buffer: EventBuffer
    private let subscription: Subscription

    /// Begins to listen to the events of interest, up to and with the end.
    init(_ connection: Connection, _ events: EventSet, until end: EventSet) {
        let buffer = EventBuffer()
        self.connection = connection
        self.buffer = buffer
        subscription = connection.emitter.subscribe(events.union(end), lagsBehind: true) { event in
            let result = events.contains(event.kind) ? buffer.push(event) : .taken
            if event.kind == end { buffer.finish() }
            return result
        }
        connection.ensureDriven()
    }

    deinit {
        let events = buffer.close()
        if !events.isEmpty { connection.emitter.giveBack(events, subscription) }
        subscription.cancel()
    }

    /// The next event; nil at the end, and if the task is cancelled.
    func next() async -> Event? {
        switch await buffer.next() {
        case .event(let event, let isRelieved):
            if isRelieved { connection.emitter.resume(subscription) }
            return event
        case .end:
            connection.emitter.caughtUp(subscription)
            return nil
        case .cancelled: return nil
        }
    }
}
