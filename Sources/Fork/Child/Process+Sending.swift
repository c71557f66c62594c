internal import Messaging

extension Process {
    /// Sends a value as JSON to the parent. Never waits: what the socket doesn't take now is queued, and a program that
    /// ends by returning from `main` or by calling `exit` sends its queue first; see ``exitFlushTimeout``.
    ///
    /// - Returns: true while less than 1 MiB is queued; false says that the message is queued like any other, and that it
    ///   is time to slow down: wait with ``flush()``, or use the `send` that waits.
    /// - Throws: ``ForkError``, and then nothing has been queued: `notForked`, `notEncodable`, `messageTooLong`,
    ///   `queueFull` (at 128 MiB), or `disconnected` where the parent has gone or either side has disconnected.
    @discardableResult
    public static func send(_ value: some Encodable) throws -> Bool {
        let side = try ChildSide.require()
        return try ForkError.wrapping { try side.channel.send(value) }
    }

    /// Sends a value as JSON and waits until it has left this process.
    public static func send(_ value: some Encodable) async throws {
        let side = try ChildSide.require()
        try await ForkError.wrappingAsync {
            try side.channel.send(value)
            try await side.channel.flush()
        }
    }

    /// Sends bytes as they are: no JSON, and no copy of a long array. Otherwise like `send` of a value.
    @discardableResult
    public static func send(bytes: [UInt8]) throws -> Bool {
        let side = try ChildSide.require()
        return try ForkError.wrapping { try side.channel.send(bytes: bytes) }
    }

    /// Sends bytes as they are, and waits until they have left this process.
    public static func send(bytes: [UInt8]) async throws {
        let side = try ChildSide.require()
        try await ForkError.wrappingAsync {
            try side.channel.send(bytes: bytes)
            try await side.channel.flush()
        }
    }

    /// Waits until all that was sent so far has left this process: the kernel has it, and the parent gets it even if this
    /// program is killed now.
    ///
    /// - Throws: ``ForkError`` with the code `disconnected` where something that had been queued was thrown away because
    ///   the parent is gone, or `notForked`; `CancellationError` where the task is cancelled.
    public static func flush() async throws {
        let side = try ChildSide.require()
        try await ForkError.wrappingAsync { try await side.channel.flush() }
    }
}
