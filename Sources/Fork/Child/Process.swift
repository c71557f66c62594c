internal import Reactor

/// This program as the child of a parent that forked it.
///
/// The counterpart of ``ChildProcess``: handlers are called by `serve()` on the thread that calls it. A program that no
/// parent forked can use all of it too: nothing arrives, `serve()` returns at once, and `send` throws.
///
/// The name is that of Foundation's class, with which it lives in one file: no member of one is a member of the other.
public enum Process {
    /// Whether a parent forked this program and gave it a channel.
    public static var isForked: Bool { ParentConnection.current != nil }

    /// Whether messages can be sent: there is a parent, and this side has not disconnected. After the parent has
    /// disconnected it still can answer, until all of its messages have been dealt with.
    public static var isConnected: Bool {
        ParentConnection.current?.connection.isOpen ?? false
    }

    /// The directory in which this program's executable lies, without a slash at its end.
    ///
    /// Programs that are built together lie together: a parent finds its child at
    /// `Process.executableDirectory + "/child"`.
    public static var executableDirectory: String {
        guard let path = System.executablePath(), let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Calls the handlers on this thread until the channel has closed: the parent has disconnected or is gone, or this
    /// program has disconnected and the parent has taken note of it.
    ///
    /// Returns at once in a program that nobody forked, and in a handler. If another thread serves already, it waits
    /// until that is done.
    public static func serve() {
        ParentConnection.current?.serve()
    }

    /// Runs `body` on this thread, beside the handlers, until it ends; what it throws is thrown here. For a child whose
    /// work is asynchronous:
    ///
    /// ```swift
    /// try Process.serve {
    ///     for await message in Process.messages {
    ///         do {
    ///             try await Process.send(result(of: message.decode(Job.self)))
    ///         } catch let error as DecodingError {
    ///             try await Process.send("no job: \(error)")  // the next one may be one again
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// The task takes messages without a change of threads, which would cost more than the message. A call to something
    /// that is isolated to another executor, such as the main actor, still goes there; this thread being the main
    /// thread, the main actor does not run before this returns. In a program that nobody forked the body runs too, and
    /// no message comes.
    ///
    /// When the parent has disconnected, its messages end, but what the body sends until it returns still arrives.
    ///
    /// If another thread serves already, the body runs there, and this one waits.
    ///
    /// - Throws: what the body throws; ``ForkError`` with the code `invalidArgument` if it is called by a handler,
    ///   or by a task on the loop, which would wait for itself; `Errno` if the process has no descriptors left.
    public static func serve(_ body: @escaping @Sendable () async throws -> Void) throws {
        guard let side = ParentConnection.current else {
            return try BlockingTask(body).run(on: MessageLoop(name: "fork-child")) {}
        }
        if side.connection.loop.isCurrent {
            throw ForkError(
                .invalidArgument, "A handler can't wait for a task on its own loop: call serve at the end of main")
        }
        try side.serve(BlockingTask(body))
    }

    /// Waits until the channel has closed, while handlers are called on a thread of their own: what ``serve()`` is to a
    /// program that is not asynchronous. Returns at once in a program that nobody forked, and if the task is cancelled.
    public static func waitUntilDisconnected() async {
        guard let connection = ParentConnection.current?.connection else { return }
        let events = EventConsumer(connection, .disconnect, until: .disconnect)
        while await events.next() != nil {}
    }

    /// How this program waits for messages: how soon the next one is noticed, against what that costs. Default:
    /// `balanced`. The parent's loop has a setting of its own, and a round trip is as quick as both.
    public static var latency: MessageLoop.Latency {
        get { ParentConnection.current?.connection.loop.latency ?? .balanced }
        set { ParentConnection.current?.connection.loop.latency = newValue }
    }

    /// How long the end of this program, by returning from `main` or by `exit`, waits while messages are still queued
    /// and the parent takes none of them. It goes on as long as the parent takes some. Default: 60 seconds.
    public static var exitFlushTimeout: Duration {
        get { ParentConnection.exitFlushTimeout.withLock { $0 } }
        set { ParentConnection.exitFlushTimeout.withLock { $0 = newValue } }
    }

    /// What becomes of errors that nobody hears in this program. Default: a line on standard error for each of the
    /// first sixteen.
    public static var unhandledErrors: ChildProcess.UnhandledErrors {
        get { ParentConnection.unhandledErrors.withLock { $0 } }
        set { ParentConnection.unhandledErrors.withLock { $0 = newValue } }
    }

    /// Closes the channel from this side, gracefully: what was sent before still arrives, and so does what the parent
    /// has on its way. Calling it again has no effect.
    public static func disconnect() {
        ParentConnection.current?.connection.disconnect()
    }
}
