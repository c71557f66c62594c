// All of this is for any thread.
extension EventEmitter {
    /// What is asked for on any thread, and done on the loop.
    enum Change: Sendable {
        case attach(EventListener)
        /// A consumer has gone and left these.
        case giveBack([Event], Subscription)
    }

    /// - Parameter lagsBehind: the sink keeps what it is told for a consumer, and says with `caughtUp` when that has
    ///   seen the end.
    func subscribe(
        _ events: EventSet, lagsBehind: Bool = false, _ sink: @escaping EventSink
    ) -> Subscription {
        let subscription = Subscription { [weak self] subscription in
            guard let self else { return }
            // Later, so that one who is attached in the same go is there before this one has gone.
            onLoop { emitter in emitter.onLoop { $0.detach(subscription) } }
        }
        change(.attach(EventListener(subscription, events, lagsBehind: lagsBehind, sink)))
        return subscription
    }

    /// Takes what a consumer leaves that goes, before its subscription is cancelled: it is for the next one. What
    /// others have heard who are still there is gone. Those who came later get the rest, late if they have heard
    /// something since.
    func giveBack(_ events: [Event], _ subscription: Subscription) {
        change(.giveBack(events, subscription))
    }

    private func change(_ change: Change) {
        changes.add(change)
        onLoop { $0.applyChanges() }
    }

    /// Attaches a handler of one kind of event; what it throws becomes an error event.
    func handle(
        _ events: EventSet, _ handler: @escaping @Sendable (Event) throws -> Void
    ) -> Subscription {
        subscribe(events) { [weak self] event in
            do {
                try handler(event)
            } catch let mismatch as MismatchError {
                let text = "A message does not fit its handler: \(ForkError.describe(mismatch.cause))"
                self?.failed(ForkError(.invalidMessage, text, cause: mismatch.cause))
            } catch {
                self?.failed(ForkError(.handlerFailed, "A handler threw: \(ForkError.describe(error))", cause: error))
            }
            return .taken
        }
    }

    /// A sink that was saturated can take messages again.
    func resume(_ subscription: Subscription) {
        onLoop { $0.setSaturated(false, subscription) }
    }

    /// The consumer of a sink that lags behind has seen the end.
    func caughtUp(_ subscription: Subscription) {
        onLoop { $0.setCaughtUp(subscription) }
    }
}
