internal import Messaging
internal import Reactor
internal import Wire

/// The child's view of its parent: the connection that the parent has made. There is one in a process at most.
final class ParentConnection: Sendable {
    let connection: Connection
    private let pid = System.processID

    /// Made at the first use of `Process`; nil in a program that nobody forked.
    static var current: ParentConnection? { try? connected.get() }

    static func require() throws(ForkError) -> ParentConnection {
        switch connected {
        case .success(let side): return side
        case .failure(let error): throw error
        }
    }

    private static let connected: Result<ParentConnection, ForkError> = Result { () throws(ForkError) in try connect() }

    /// See `Process.exitFlushTimeout`.
    static let exitFlushTimeout = Locked(Duration.seconds(60))
    /// See `Process.unhandledErrors`.
    static let unhandledErrors = Locked(ChildProcess.UnhandledErrors.print)

    private init(_ channel: Channel) {
        connection = Connection(channel, to: .parent) { error in
            ParentConnection.unhandledErrors.withLock { $0 }.report(error, pid: System.processID, isChild: true)
        }
    }

    private static func connect() throws(ForkError) -> ParentConnection {
        let (descriptor, dialect) = try inheritedChannel()
        do {
            let loop = try MessageLoop(named: "fork-child")
            let channel = try Channel(
                socket: Descriptor(owning: descriptor), loop: loop, limits: limits, dialect: dialect, isMaker: false)
            let side = ParentConnection(channel)
            try side.connection.start()
            // What the parent allows is known before the first message is sent.
            channel.readWhatIsThere()
            System.atExit { ParentConnection.flushAtExit() }
            return side
        } catch {
            throw ForkError(.system, "The channel to the parent can't be used: \(error)", errno: error as? Errno)
        }
    }

    /// The parent decides how long messages may be, within what the protocol allows.
    private static var limits: ChannelLimits {
        // Nobody takes conversations here.
        var limits = ChannelLimits(ids: 0)
        if let limit = InheritedChannel.messageLimit().flatMap(Hello.Limits.messageLimit) {
            limits.messageLimit = min(limit, Int(Int32.max))
        }
        return limits
    }

    /// The channel that the environment names, and what is spoken on it.
    private static func inheritedChannel() throws(ForkError) -> (CInt, Dialect) {
        if let number = InheritedChannel.number() {
            return (try descriptor(number, InheritedChannel.channelVariable), .native)
        }
        guard let (number, mode) = InheritedChannel.node() else {
            throw ForkError(
                .notForked,
                """
                This program has no parent to talk to: it was started by itself. \
                Start it from another program with ChildProcess.fork(path:)
                """)
        }
        if mode != "json" {
            throw ForkError(
                .notSupported,
                """
                The parent, a Node.js program, writes its messages in the mode '\(mode.abbreviated)', \
                which only Node.js can read; start this program with the option `serialization: 'json'`, \
                which is the default
                """)
        }
        return (try descriptor(number, InheritedChannel.nodeChannelVariable), .node)
    }

    private static func descriptor(_ number: String, _ variable: String) throws(ForkError) -> CInt {
        guard let descriptor = CInt(number), descriptor >= 0, System.isUnixStream(descriptor) else {
            throw ForkError(
                .notForked,
                """
                The variable \(variable) is '\(number.abbreviated)', \
                which is not the descriptor of a Unix stream socket; \
                start this program with ChildProcess.fork(path:), or fork of Node.js
                """)
        }
        return descriptor
    }

    private static func flushAtExit() {
        // A copy of this process that somebody made with the system's fork must not send the same once more.
        guard let side = current, side.pid == System.processID else { return }
        let patience = exitFlushTimeout.withLock { $0 }
        let channel = side.connection.channel
        channel.flush(givingUpAfter: patience)
        channel.complainOfUnreadAtExit()
        channel.close()
    }

    /// Calls the handlers on this thread until the channel has closed.
    func serve() {
        let loop = connection.loop
        // Who drives now may do so for a task, and leave before the channel has closed.
        while !loop.drive(until: { connection.isDone() }), !loop.isCurrent { loop.waitForCaller() }
    }

    /// Runs a task while this thread drives the loop, and keeps this side's direction open meanwhile.
    func serve(_ task: BlockingTask) throws {
        connection.lateSenderBegan()
        try task.run(on: connection.loop) { self.connection.lateSenderEnded() }
    }
}
