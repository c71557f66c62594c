internal import Messaging

extension ChildProcess {
    /// Sends a value as JSON. Never waits: what the socket doesn't take now is queued.
    ///
    /// - Returns: true while less than the high-water mark is queued (1 MiB by default); false says that the message is
    ///   queued like any other, and that it is time to slow down: wait with ``flush()``, or use the `send` that waits.
    /// - Throws: ``ForkError``, and then nothing has been queued: `notEncodable`, `messageTooLong`, `queueFull`, or
    ///   `disconnected` where the child has gone or either side has disconnected.
    @discardableResult
    public func send(_ value: some Encodable) throws -> Bool {
        try ForkError.wrapping { try channel.send(value) }
    }

    /// Sends a value as JSON and waits until it has left this process.
    ///
    /// In functions that are `async` Swift prefers this form to the one that does not wait; at the top level of a
    /// `main.swift` it does not. Somebody should be reading the answers meanwhile: two sides that only send wait for each other once both sockets
    /// are full.
    ///
    /// - Throws: as the `send` that does not wait; also `disconnected` where the message was queued but the child ended
    ///   before it was written, and `CancellationError`, which leaves the message in the queue.
    public func send(_ value: some Encodable) async throws {
        try await ForkError.wrappingAsync {
            try channel.send(value)
            try await channel.flush()
        }
    }

    /// Sends bytes as they are: no JSON, and no copy of a long array. Otherwise like `send` of a value.
    @discardableResult
    public func send(bytes: [UInt8]) throws -> Bool {
        try ForkError.wrapping { try channel.send(bytes: bytes) }
    }

    /// Sends bytes as they are, and waits until they have left this process.
    public func send(bytes: [UInt8]) async throws {
        try await ForkError.wrappingAsync {
            try channel.send(bytes: bytes)
            try await channel.flush()
        }
    }

    /// How many messages were accepted by `send` and have never left this process, because the child ended, or broke the
    /// protocol, before they were written. Final once the disconnect event has come; 0 as long as nothing is lost.
    ///
    /// What the child did not read although the kernel had it is not among them.
    public var unsentMessageCount: Int { channel.lostMessageCount }

    /// Waits until all that was sent so far has left this process: the kernel has it, and the child can read it even if
    /// this program ends now.
    ///
    /// - Throws: ``ForkError`` with the code `disconnected` where something that had been queued was thrown away because
    ///   the child is gone; `CancellationError` where the task is cancelled.
    public func flush() async throws {
        try await ForkError.wrappingAsync { try await channel.flush() }
    }
}
