// For any thread. `ChildProcess` and `Process` say what each of these means to their users.
extension Connection {
    func onSpawn(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        emitter.handle(.spawn) { _ in try handler() }
    }

    func onMessage(_ handler: @escaping @Sendable (Message) throws -> Void) -> Subscription {
        emitter.handle(.message) { event in
            if case .message(let message) = event { try handler(message) }
        }
    }

    func onMessage<Value: Decodable & SendableMetatype>(
        of type: Value.Type, _ handler: @escaping @Sendable (Value) throws -> Void
    ) -> Subscription {
        onMessage { try handler($0.decodeForHandler(type)) }
    }

    func onError(_ handler: @escaping @Sendable (ForkError) -> Void) -> Subscription {
        emitter.handle(.error) { event in
            if case .error(let error) = event { handler(error) }
        }
    }

    func onDisconnect(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        emitter.handle(.disconnect) { _ in try handler() }
    }

    func onExit(_ handler: @escaping @Sendable (ChildProcess.ExitStatus) throws -> Void) -> Subscription {
        emitter.handle(.exit) { event in
            if case .exit(let status) = event { try handler(status) }
        }
    }

    func onClose(_ handler: @escaping @Sendable () throws -> Void) -> Subscription {
        emitter.handle(.close) { _ in try handler() }
    }

    /// Makes sure that some thread drives the loop.
    func ensureDriven() {
        try? loop.ensureDriven()
    }
}
