internal import Messaging
internal import Reactor
internal import Wire

/// The child's end of the channel that its parent made. There is one in a process at most.
final class ChildSide: Sendable {
    /// Made at the first use of `Process`; nil in a program that nobody forked.
    static var current: ChildSide? { try? connected.get() }

    static func require() throws(ForkError) -> ChildSide {
        switch connected {
        case .success(let side): return side
        case .failure(let error): throw error
        }
    }

    private static let connected: Result<ChildSide, ForkError> = Result { () throws(ForkError) in try connect() }

    /// See `Process.exitFlushTimeout`.
    static let exitFlushTimeout = Locked(Duration.seconds(60))
    /// See `Process.unhandledErrors`.
    static let unhandledErrors = Locked(ChildProcess.UnhandledErrors.print)

    let channel: Channel
    let hub: EventHub
    private let pid = System.processID
    /// Bodies of `Process.serve` that have not ended.
    private let servedBodies = Locked(0)

    private init(channel: Channel) {
        self.channel = channel
        hub = EventHub(loop: channel.loop, channel: channel, hasProcess: false) { error in
            ChildSide.unhandledErrors.withLock { $0 }.report(error, pid: System.processID, isChild: true)
        }
    }

    private static func connect() throws(ForkError) -> ChildSide {
        let (descriptor, dialect) = try inheritedChannel()
        do {
            let loop = try MessageLoop(named: "fork-child")
            let channel = try Channel(
                socket: Descriptor(owning: descriptor), loop: loop, limits: limits, dialect: dialect, isMaker: false)
            let side = ChildSide(channel: channel)
            side.hub.belong(to: side)
            try channel.start(delegate: side)
            // What the parent allows is known before the first message is sent.
            channel.readWhatIsThere()
            System.atExit { ChildSide.flushAtExit() }
            return side
        } catch {
            throw ForkError(.system, "The channel to the parent can't be used: \(error)", errno: error as? Errno)
        }
    }

    /// The parent decides how long messages may be, within what the protocol allows.
    private static var limits: ChannelLimits {
        // Nobody takes conversations here.
        var limits = ChannelLimits(ids: 0)
        if let text = ChildSpawner.inheritedMessageLimit(), let limit = Int(text), limit >= 65_536 {
            limits.messageLimit = min(limit, Int(Int32.max))
        }
        return limits
    }

    /// The channel that the environment names, and what is spoken on it.
    private static func inheritedChannel() throws(ForkError) -> (CInt, Dialect) {
        if let number = ChildSpawner.inheritedChannel() {
            return (try descriptor(number, ChildSpawner.channelVariable), .native)
        }
        guard let (number, mode) = ChildSpawner.inheritedNodeChannel() else {
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
                The parent, a Node.js program, writes its messages in the mode '\(mode.asPart)', which only Node.js can read; \
                start this program with the option `serialization: 'json'`, which is the default
                """)
        }
        return (try descriptor(number, ChildSpawner.nodeChannelVariable), .node)
    }

    private static func descriptor(_ number: String, _ variable: String) throws(ForkError) -> CInt {
        guard let descriptor = CInt(number), descriptor >= 0, System.isUnixStream(descriptor) else {
            throw ForkError(
                .notForked,
                """
                The variable \(variable) is '\(number.asPart)', which is not the descriptor of a Unix stream socket; \
                start this program with ChildProcess.fork(path:), or fork of Node.js
                """)
        }
        return descriptor
    }

    private static func flushAtExit() {
        // A copy of this process that somebody made with the system's fork must not send the same once more.
        guard let side = current, side.pid == System.processID else { return }
        let patience = exitFlushTimeout.withLock { $0 }
        side.channel.flush(givingUpAfter: patience)
        side.channel.complainOfUnreadAtExit()
        side.channel.close()
    }

    func serve() {
        let loop = channel.loop
        // Who drives now may do so for a task, and leave before the channel has closed.
        while !loop.drive(until: { isDone() }), !loop.isCurrent { loop.waitForCaller() }
    }

    private func isDone() -> Bool {
        finishIfConsumed()
        return hub.isFinished && channel.isClosed
    }

    /// After the parent's end this side goes on sending until the last message has been dealt with, and until the
    /// bodies that are served have ended: a child can answer all of its work, and send what it made of it.
    private func finishIfConsumed() {
        guard hub.isFinished && hub.isConsumed && servedBodies.withLock({ $0 == 0 }) else { return }
        channel.complainOfUnread()
        channel.finishAfterPeer()
    }

    /// Runs a task while this thread drives the loop, and keeps this side's direction open meanwhile.
    func serve(_ task: ServedTask) throws {
        servedBodies.withLock { $0 += 1 }
        try task.run(on: channel.loop) {
            self.servedBodies.withLock { $0 -= 1 }
            self.consumersProgressed()
        }
    }
}

extension ChildSide: ChannelDelegate {
    func channelReceived(_ message: consuming InboundMessage) {
        hub.received(consume message)
    }

    func channelFailed(_ error: ChannelError) {
        hub.failed(ForkError(error))
    }

    func channelExhausted(hasUnread: Bool) {
        // Whoever serves has attached its handlers: messages that nobody has asked for by now are not waited with.
        hub.exhausted(hasUnread: false)
    }

    func channelDelivered() {
        hub.delivered()
        finishIfConsumed()
    }
}

extension ChildSide: EventSource {
    func ensureDriven() {
        try? channel.loop.ensureDriven()
    }

    func consumersProgressed() {
        if hub.isDelivered { finishIfConsumed() }
    }
}
