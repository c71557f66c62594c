/// Hears an event.
typealias EventSink = @Sendable (Event) -> EventSinkResult

enum EventSinkResult {
    case taken
    /// Taken, and it can take no more messages for now.
    case saturated
    /// Not taken: the listener has gone, and its subscription is about to be cancelled.
    case gone
}

/// Somebody who has subscribed to events.
struct EventListener: Sendable {
    let subscription: Subscription
    let events: EventSet
    let sink: EventSink
    /// The first message that it hears; see ``Message/number``.
    var firstMessage: UInt64 = 0
    /// How many of the terminal events it has passed.
    var passedTerminals = 0
    var isSaturated = false
    /// It takes its events later than they are told, and has not seen the last one.
    var lagsBehind: Bool

    init(_ subscription: Subscription, _ events: EventSet, lagsBehind: Bool, _ sink: @escaping EventSink) {
        self.subscription = subscription
        self.events = events
        self.lagsBehind = lagsBehind
        self.sink = sink
    }

    /// It has passed the close event. If it was cancelled while saturated, that has to be undone first.
    private var isFinished: Bool { passedTerminals == 3 && !isSaturated }

    /// Nothing will be told to it any more.
    ///
    /// - Parameter isAwaited: an iteration has not seen the end. It may still leave messages, to those who are there
    ///   then.
    func isOver(isAwaited: Bool) -> Bool {
        isFinished && !(isAwaited && (lagsBehind || events.contains(.message)))
    }
}
