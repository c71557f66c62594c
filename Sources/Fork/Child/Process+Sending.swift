extension Process {
    // MARK: Without waiting

    /// Queues a value as JSON for the parent, to be written as soon as the socket takes it. Never waits, and can be
    /// called everywhere: in handlers, in asynchronous code, on any thread. A program that ends by returning from
    /// `main` or by calling `exit` writes its queue first; see ``exitFlushTimeout``.
    ///
    /// Open descriptors can travel with the message. The parent gets descriptors of its own, with this message and no
    /// other. Those that were given are closed here as soon as the message has been written, and also if it could not
    /// be: send duplicates to keep them (``Handles/init(duplicating:)``).
    ///
    /// - Parameters:
    ///   - value: the message.
    ///   - handles: what travels with it. Default: none.
    /// - Returns: true while less than 1 MiB is queued. False says that the message is queued like any other, and that
    ///   it is time to slow down: wait with ``flush()``, or use the `send` that waits.
    /// - Throws: ``ForkError``, and then nothing has been queued: `notForked`, `notEncodable`, `messageTooLong`,
    ///   `queueFull` (at 128 MiB), or `disconnected` if the parent has gone or either side has disconnected. With
    ///   handles also `invalidArgument`, for more than 253 of them or one that is not open, and `notSupported` if the
    ///   parent takes none. A descriptor that the kernel does not pass is found only when it is written: an error event
    ///   with the code `handlesLost`.
    @discardableResult
    public static func enqueue(_ value: some Encodable, handles: consuming Handles = Handles()) throws -> Bool {
        try ParentConnection.require().connection.send(value, handles: handles)
    }

    /// Queues bytes as they are: no JSON, and no copy of a long array. Otherwise like ``enqueue(_:handles:)``.
    @discardableResult
    public static func enqueue(bytes: [UInt8], handles: consuming Handles = Handles()) throws -> Bool {
        try ParentConnection.require().connection.send(bytes: bytes, handles: handles)
    }

    /// The same as ``enqueue(_:handles:)``, for handlers and other code that is not asynchronous.
    @discardableResult
    public static func send(_ value: some Encodable, handles: consuming Handles = Handles()) throws -> Bool {
        try ParentConnection.require().connection.send(value, handles: handles)
    }

    /// The same as ``enqueue(bytes:handles:)``, for handlers and other code that is not asynchronous.
    @discardableResult
    public static func send(bytes: [UInt8], handles: consuming Handles = Handles()) throws -> Bool {
        try ParentConnection.require().connection.send(bytes: bytes, handles: handles)
    }

    // MARK: Waiting

    /// Sends a value as JSON to the parent, with open descriptors if there are any, and waits until it has left this
    /// process.
    ///
    /// - Throws: as ``enqueue(_:handles:)``; also `disconnected` if the message was queued but the parent was gone
    ///   before it was written, and `CancellationError`, which leaves the message in the queue.
    public static func send(_ value: some Encodable, handles: consuming Handles = Handles()) async throws {
        _ = try ParentConnection.require().connection.send(value, handles: handles)
        try await flush()
    }

    /// Sends bytes as they are, with open descriptors if there are any, and waits until they have left this process.
    public static func send(bytes: [UInt8], handles: consuming Handles = Handles()) async throws {
        _ = try ParentConnection.require().connection.send(bytes: bytes, handles: handles)
        try await flush()
    }

    /// Waits until all that was sent so far has left this process: the kernel has it, and the parent gets it even if
    /// this program is killed now.
    ///
    /// - Throws: ``ForkError`` with the code `disconnected` if something that had been queued was thrown away because
    ///   the parent is gone, or `notForked`; `CancellationError` if the task is cancelled.
    public static func flush() async throws {
        try await ParentConnection.require().connection.flush()
    }

    /// The same as ``flush()``, but blocks the calling thread: for handlers, whose thread is the one that would write,
    /// and for the last words of a program that is about to crash or to call `_exit`.
    ///
    /// In a handler nothing is read meanwhile. So a message with a handle to or from Node.js, which has to be
    /// acknowledged, can't be flushed there.
    ///
    /// - Parameter time: how long to wait at most. Zero tries once.
    /// - Throws: ``ForkError`` with the code `timedOut` if the time is over first, and then what is left stays in the
    ///   queue; `disconnected` and `notForked` as ``flush()`` does.
    @available(*, noasync, message: "In asynchronous code use `try await flush()`, which blocks no thread")
    public static func flush(within time: Duration) throws {
        try ParentConnection.require().connection.flush(within: time)
    }
}
