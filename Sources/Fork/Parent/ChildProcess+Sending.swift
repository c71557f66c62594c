internal import Messaging

extension ChildProcess {
    // MARK: Without waiting

    /// Queues a value as JSON, to be written as soon as the socket takes it. Never waits, and can be called everywhere:
    /// in handlers, in asynchronous code, on any thread.
    ///
    /// Open descriptors can travel with the message. The child gets descriptors of its own, with this message and no
    /// other. Those that were given are closed here as soon as the message has been written, and also if it could not
    /// be: send duplicates to keep them (``Handles/init(duplicating:)``).
    ///
    /// - Parameters:
    ///   - value: the message.
    ///   - handles: what travels with it. Default: none.
    /// - Returns: true while less than the high-water mark is queued (1 MiB by default). False says that the message is
    ///   queued like any other, and that it is time to slow down: wait with ``flush()``, or use the `send` that waits.
    /// - Throws: ``ForkError``, and then nothing has been queued: `notEncodable`, `messageTooLong`, `queueFull`, or
    ///   `disconnected` if the child has gone or either side has disconnected. With handles also `invalidArgument`, for
    ///   more than 253 of them or one that is not open, and `notSupported` if the child takes none. A descriptor that
    ///   the kernel does not pass is found only when it is written: an error event with the code `handlesLost`.
    @discardableResult
    public func enqueue(_ value: some Encodable, handles: consuming Handles = Handles()) throws -> Bool {
        try connection.send(value, handles: handles)
    }

    /// Queues bytes as they are: no JSON, and no copy of a long array. Otherwise like ``enqueue(_:handles:)``.
    @discardableResult
    public func enqueue(bytes: [UInt8], handles: consuming Handles = Handles()) throws -> Bool {
        try connection.send(bytes: bytes, handles: handles)
    }

    /// The same as ``enqueue(_:handles:)``, for handlers and other code that is not asynchronous.
    @discardableResult
    public func send(_ value: some Encodable, handles: consuming Handles = Handles()) throws -> Bool {
        try connection.send(value, handles: handles)
    }

    /// The same as ``enqueue(bytes:handles:)``, for handlers and other code that is not asynchronous.
    @discardableResult
    public func send(bytes: [UInt8], handles: consuming Handles = Handles()) throws -> Bool {
        try connection.send(bytes: bytes, handles: handles)
    }

    // MARK: Waiting

    /// Sends a value as JSON, with open descriptors if there are any, and waits until it has left this process.
    ///
    /// In functions that are `async` Swift prefers this form to the one that does not wait. At the top level of a
    /// `main.swift` it does not, and warns.
    ///
    /// Somebody should be reading the answers meanwhile: two sides that only send wait for each other once both sockets
    /// are full.
    ///
    /// - Throws: as ``enqueue(_:handles:)``; also `disconnected` if the message was queued but the child ended before
    ///   it was written, and `CancellationError`, which leaves the message in the queue.
    public func send(_ value: some Encodable, handles: consuming Handles = Handles()) async throws {
        _ = try connection.send(value, handles: handles)
        try await flush()
    }

    /// Sends bytes as they are, with open descriptors if there are any, and waits until they have left this process.
    public func send(bytes: [UInt8], handles: consuming Handles = Handles()) async throws {
        _ = try connection.send(bytes: bytes, handles: handles)
        try await flush()
    }

    /// Waits until all that was sent so far has left this process: the kernel has it, and the child can read it even if
    /// this program ends now.
    ///
    /// - Throws: ``ForkError`` with the code `disconnected` if something that had been queued was thrown away because
    ///   the child is gone; `CancellationError` if the task is cancelled.
    public func flush() async throws {
        try await connection.flush()
    }

    /// The same as ``flush()``, but blocks the calling thread: for handlers, whose thread is the one that would write,
    /// and for the last words of a program.
    ///
    /// In a handler nothing is read meanwhile. So a message with a handle to or from Node.js, which has to be
    /// acknowledged, can't be flushed there.
    ///
    /// - Parameter time: how long to wait at most. Zero tries once.
    /// - Throws: ``ForkError`` with the code `timedOut` if the time is over first, and then what is left stays in the
    ///   queue; `disconnected` as ``flush()`` does.
    @available(*, noasync, message: "In asynchronous code use `try await flush()`, which blocks no thread")
    public func flush(within time: Duration) throws {
        try connection.flush(within: time)
    }

    /// How many messages were accepted by `send` and have never left this process, because the child ended, or broke
    /// the protocol, before they were written. Final once the disconnect event has come; 0 as long as nothing is lost.
    ///
    /// What the child did not read although the kernel had it is not among them.
    public var unsentMessageCount: Int { connection.channel.lostMessageCount }
}
