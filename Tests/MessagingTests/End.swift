import JSONCodec
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging
@testable import Reactor

/// What a channel tells its owner.
enum Event: Equatable, Sendable {
    case json(JSON)
    case bytes([UInt8])
    /// A message of JSON with handles, each by what it refers to. They have been closed.
    case handles(JSON, [FileID])
    case failed(String)
    case exhausted
    case delivered

    var isMessage: Bool {
        switch self {
        case .json, .bytes, .handles: true
        case .failed, .exhausted, .delivered: false
        }
    }
}

/// One end of a channel, and what it has heard.
final class End: ChannelDelegate {
    let channel: Channel
    let journal = Journal<Event>()
    let pongs = Journal<UInt64>()
    private let reaction: @Sendable (End, Event) -> Void

    private init(channel: Channel, reaction: @escaping @Sendable (End, Event) -> Void) {
        self.channel = channel
        self.reaction = reaction
    }

    /// An end on a loop of its own, or on the given one, which takes messages at once where nothing else is said.
    static func open(
        _ socket: consuming Descriptor, limits: ChannelLimits = ChannelLimits(), dialect: Dialect = .native,
        isMaker: Bool = true, consumes: Bool = true, on sharedLoop: MessageLoop? = nil,
        reaction: @escaping @Sendable (End, Event) -> Void = { _, _ in }
    ) throws -> End {
        let loop = try sharedLoop ?? MessageLoop(named: "test-end")
        let channel = try Channel(
            socket: socket, loop: loop, limits: limits, dialect: dialect, isMaker: isMaker)
        let end = End(channel: channel, reaction: reaction)
        try channel.start(delegate: end)
        try loop.ensureDriven()
        if consumes { end.consume(true) }
        return end
    }

    static func pair(
        limits: ChannelLimits = ChannelLimits(), bufferSize: CInt? = nil, consumes: Bool = true
    ) throws -> (End, End) {
        try System.socketPair().split { ours, theirs in
            if let bufferSize {
                setSendBuffer(ours.rawValue, bufferSize)
                setSendBuffer(theirs.rawValue, bufferSize)
            }
            return (
                try open(ours, limits: limits, consumes: consumes),
                try open(theirs, limits: limits, isMaker: false, consumes: consumes)
            )
        }
    }

    /// An end and the plain socket at its other end.
    static func facingSocket(
        limits: ChannelLimits = ChannelLimits(), dialect: Dialect = .native, consumes: Bool = true,
        reaction: @escaping @Sendable (End, Event) -> Void = { _, _ in }
    ) throws -> (End, PlainSocket) {
        try System.socketPair().split { ours, theirs in
            (
                try open(ours, limits: limits, dialect: dialect, consumes: consumes, reaction: reaction),
                PlainSocket(theirs.take())
            )
        }
    }

    func consume(_ isPresent: Bool) { onLoop { $0.setConsumer(present: isPresent) } }
    func pause() { onLoop { $0.pause() } }
    func resume() { onLoop { $0.resume() } }

    func onLoop(_ body: @escaping @Sendable (Channel) -> Void) {
        channel.loop.execute { [channel] in body(channel) }
    }

    /// Has what is sent from now on belong to one burst whose first messages have been written, however long it takes.
    func burst() throws {
        channel.outbound.withLock {
            $0.burst = BurstDetector(times: .init(gapOutside: .max, gapInHandler: .max, longestWait: .max))
        }
        for _ in 0..<BurstDetector.writtenAtOnce { try channel.send("burst") }
    }

    /// Returns when the peer's hello has been read.
    func helloHasCome() async throws {
        try await eventually("the hello comes") { self.channel.outbound.withLock { $0.queue.peerLimits != nil } }
    }

    /// Returns when all that was handed to the loop before has run, and what that has gathered is written.
    func settle() async throws {
        let settled = Journal<Bool>()
        // What was gathered is written at a turn's end. One turn runs jobs twice, after its wait and once more before
        // it ends: only the third is surely in another.
        channel.loop.execute { [channel] in
            channel.loop.execute { [channel] in channel.loop.execute { settled.append(true) } }
        }
        try await settled.wait(forCount: 1)
    }

    func messages(_ count: Int) async throws -> [Event] {
        try await journal.wait { $0.count(where: \.isMessage) >= count }.filter(\.isMessage)
    }

    /// All events once the last has come, but for the one that says that the socket is exhausted: where the consumer
    /// comes after the peer's end that is told first, and otherwise just before the last.
    func allEvents() async throws -> [Event] {
        let events = try await journal.wait { $0.last == .delivered }
        #expect(events.count { $0 == .exhausted } == 1)
        return events.filter { $0 != .exhausted }
    }

    // MARK: ChannelDelegate

    func channelReceived(_ message: InboundMessage) {
        switch message.content {
        case .json(let document):
            guard let handles = message.handles else {
                hear(.json(document.json))
                break
            }
            handles.takeAll().withNumbers { numbers in hear(.handles(document.json, numbers.map { FileID($0) })) }
        case .bytes(let bytes): hear(.bytes(bytes))
        }
    }

    func channelFailed(_ error: ChannelError) { hear(.failed(error.name)) }
    func channelExhausted(hasUnread: Bool) {
        // As a parent does.
        channel.finishAfterPeer()
        hear(.exhausted)
    }

    func channelDelivered() { hear(.delivered) }
    func channelPonged(_ payload: UInt64) { pongs.append(payload) }

    private func hear(_ event: Event) {
        journal.append(event)
        reaction(self, event)
    }
}

extension ChannelError {
    /// What it is and why, in a form that can be compared.
    var name: String {
        switch self {
        case .closed(let closing): "closed \(closing)"
        case .queueFull(let count, _, _): "queueFull \(count)"
        case .tooLong(let count, let limit): "tooLong \(count) \(limit)"
        case .notEncodable: "notEncodable"
        case .protocolViolation(let error): "protocolViolation \(error)"
        case .notSpoken(_, let error): "protocolViolation \(error)"
        case .badPayload(let error): "badPayload \(error.code)"
        case .notFlushed: "notFlushed"
        case .handlesLost(let announced): "handlesLost \(announced)"
        case .handlesNotTaken(let announced): "handlesNotTaken \(announced)"
        case .handlesNotTakenByPeer: "handlesNotTakenByPeer"
        case .tooManyHandles(let count, _): "tooManyHandles \(count)"
        case .handleKindNotSupported: "handleKindNotSupported"
        case .bytesNotSupported: "bytesNotSupported"
        case .conversationsNotSupported: "conversationsNotSupported"
        case .handleNotReceived: "handleNotReceived"
        case .handleNotOpen: "handleNotOpen"
        case .handlesRefused(let errno): "handlesRefused \(errno.rawValue)"
        case .aborted(let abort): "aborted \(abort.code): \(abort.message)"
        case .system(let errno): "system \(errno.rawValue)"
        }
    }
}

/// The name of what `body` throws; nil where it throws nothing.
func failure(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as ChannelError {
        return error.name
    } catch {
        return "\(error)"
    }
}

func laterFailure(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch let error as ChannelError {
        return error.name
    } catch {
        return "\(type(of: error))"
    }
}
