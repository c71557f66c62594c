import JSONCodec
import TestSupport
import Wire

@testable import Messaging

/// The two values of a channel and nothing else: what `Channel` does with a socket and a loop is done here by hand, so
/// that every order of events can be had.
final class ValueSide {
    /// What a read gives.
    enum Read {
        case bytes([UInt8], ArrivedHandles? = nil)
        case nothing
        case end
        /// The other side closed with something of ours unread.
        case reset
    }

    var inbound: InboundQueue
    var outbound: OutboundQueue
    let limits: ChannelLimits
    /// Where `.read` gets something from.
    var source: () -> Read = { .nothing }
    var received: (InboundMessage) -> Void = { _ in }
    var failed: (ChannelError) -> Void = { _ in }
    var happened: (ConversationKey, ConversationEvent) -> Void = { _, _ in }
    var exhausted: () -> Void = {}
    /// All that was told, in order.
    private(set) var log: [String] = []
    /// Where that goes, if not there; nowhere where it would only cost time.
    var trace: ((() -> String) -> Void)?
    private(set) var finishedWaiters: [UInt64] = []
    private(set) var failedWaiters: [UInt64] = []
    private(set) var isDelivered = false
    private var isPumping = false

    init(isMaker: Bool = true, limits: ChannelLimits = ChannelLimits(), saysHello: Bool = true) {
        self.limits = limits
        inbound = InboundQueue(dialect: .native, limits: limits)
        // Messages of most tests are short.
        inbound.directSize = 300
        outbound = OutboundQueue(
            highWaterMark: limits.highWaterMark, limit: limits.queueLimit, isMaker: isMaker, peerIDs: limits.ids)
        if saysHello { act { $0.say { $0.hello(Self.hello(limits)) } } }
    }

    static func hello(_ limits: ChannelLimits) -> [UInt8] {
        let hello = Hello(
            limits: Hello.Limits(message: limits.messageLimit, window: limits.window, ids: limits.ids),
            features: limits.acceptsHandles ? [Hello.handlesFeature] : [])
        return (try? hello.frame()) ?? []
    }

    func note(_ text: @autoclosure () -> String) {
        if let trace { trace(text) } else { log.append(text()) }
    }

    /// What was told since the last call.
    func takeLog() -> [String] {
        defer { log = [] }
        return log
    }

    func takeFinishedWaiters() -> [UInt64] {
        defer { finishedWaiters = [] }
        return finishedWaiters
    }

    func takeFailedWaiters() -> [UInt64] {
        defer { failedWaiters = [] }
        return failedWaiters
    }

    // MARK: Reading

    /// Reads these portions, one with each read.
    func read(_ portions: [UInt8]...) {
        read(portions.map { .bytes($0) })
    }

    func read(_ reads: [Read]) {
        var reads = reads[...]
        source = { reads.popFirst() ?? .nothing }
        var count = 0
        repeat {
            count = reads.count
            inbound.isReadable = true
            pump()
        } while !reads.isEmpty && reads.count < count
    }

    /// Takes steps until there is nothing to do, or the turn has done its share. False where there was nothing at all.
    @discardableResult
    func pump() -> Bool {
        if isPumping { return false }
        isPumping = true
        defer { isPumping = false }
        inbound.beginTurn()
        var hasMoved = false
        while true {
            switch inbound.next() {
            case .read:
                if receive() { hasMoved = true }
            case .yield:
                return true
            case .wait:
                return hasMoved
            case let step:
                hasMoved = true
                perform(step)
            }
        }
    }

    private func receive() -> Bool {
        switch source() {
        case .bytes(let bytes, let arrived):
            bytes.withUnsafeBytes { buffer in
                inbound.read(buffer, arrived)
                while inbound.hasInput { perform(inbound.next()) }
            }
            return true
        case .nothing:
            inbound.socketIsEmpty()
            return false
        case .end:
            streamEnded(leftUnread: false)
        case .reset:
            streamEnded(leftUnread: true)
        }
        return true
    }

    private func streamEnded(leftUnread: Bool) {
        inbound.forget(outbound.conversations.takeEnded())
        inbound.streamEnded(leftUnread: leftUnread)
    }

    // MARK: What is to be done

    private func perform(_ step: InboundQueue.Step) {
        switch step {
        case .deliver(let message):
            note(message.text)
            received(message)
        case .fail(let error):
            note("error: \(error.text)")
            failed(error)
        case .lookUp(let frame): lookUp(frame)
        case .conversation(let key, let event):
            act { $0.received(event, in: key) }
            tell(key, event)
        case .release(let key): release(key)
        case .hello(let hello): adopt(hello)
        case .credit(let id, let limit, let highestID):
            note("credit \(id) \(limit) \(highestID)")
            act { $0.credited(id, limit: limit, highestID: highestID) }
        case .allowed(let highestID):
            note("allowed \(highestID)")
            act { $0.allowed(highestID: highestID) }
        case .grant(let id, let limit):
            note("grant \(id) \(limit)")
            act { $0.say { $0.credit(id, limit: limit) } }
        case .ping(let payload):
            note("ping \(payload)")
            act { $0.say { $0.pong(payload) } }
        case .pong(let payload): note("pong \(payload)")
        case .peerEnded: peerEnded()
        case .abort(let error): abort(error)
        case .peerGone(let closing):
            note("gone: \(closing)")
            failWriting(closing)
        case .exhausted(let hasUnread):
            note(hasUnread ? "exhausted, some unread" : "exhausted")
            exhausted()
        case .delivered:
            note("delivered")
            isDelivered = true
        case .answer, .acknowledged, .refused, .read, .yield, .wait: break
        }
    }

    private func lookUp(_ frame: FrameHeader) {
        do throws(WireError) {
            let (verdict, key) = try receive(frame).get()
            try inbound.found(verdict, key)
        } catch {
            perform(inbound.violated(error))
        }
    }

    private func receive(_ frame: FrameHeader) -> Result<(Conversations.Verdict, ConversationKey?), WireError> {
        var found = Result<(Conversations.Verdict, ConversationKey?), WireError>.success((.late, nil))
        inbound.forget(outbound.conversations.takeEnded())
        act { queue in
            do throws(WireError) {
                found = .success(try queue.receive(frame))
            } catch {
                found = .failure(error)
            }
            return queue.control.isEmpty ? .none : queue.nextAction()
        }
        return found
    }

    private func adopt(_ hello: Hello) {
        note("hello")
        var refused: [Int] = []
        act { queue in
            let (action, lengths) = queue.peerAnnounced(hello.limits)
            refused = lengths
            return action
        }
        for count in refused {
            note("too long: \(count)")
            failed(.tooLong(count: count, limit: hello.limits.message))
        }
    }

    private func peerEnded() {
        note("ended")
        var over: [ConversationKey] = []
        act { queue in
            over = queue.peerEnded()
            return queue.nextAction()
        }
        for key in over { tell(key, .abandoned) }
    }

    private func abort(_ error: WireError) {
        note("abort: \(error.name)")
        guard let frame = try? Abort(message: error.name).frame() else { return }
        act { queue in
            let (action, failed) = queue.abort(with: frame, .protocolViolation)
            failedWaiters += failed
            return action
        }
    }

    private func tell(_ key: ConversationKey, _ event: ConversationEvent) {
        note("\(key.text): \(event.text)")
        happened(key, event)
    }

    // MARK: Sending

    @discardableResult
    func act(_ change: (inout OutboundQueue) -> OutboundQueue.Action) -> OutboundQueue.Action {
        let action = change(&outbound)
        finishedWaiters += outbound.takeFinishedWaiters()
        _ = outbound.takeDiscarded()
        for key in outbound.takeAbandoned() { tell(key, .abandoned) }
        return action
    }

    func release(_ key: ConversationKey) {
        if key.isOwn { return }
        note("release \(key.text)")
        act { $0.release(key) }
    }

    func cancel(_ key: ConversationKey) {
        let id = key.isOwn ? outbound.conversations.id(of: key) : key.number
        act { $0.cancel(key) }
        guard let id else { return }
        inbound.forget(id)
        pump()
    }

    func took(_ key: ConversationKey, cost: UInt64) {
        guard let id = key.isOwn ? outbound.conversations.id(of: key) : key.number else { return }
        inbound.took(id, cost)
        pump()
    }

    func failWriting(_ closing: Closing, _ batch: WriteBatch? = nil) {
        act { queue in
            failedWaiters += queue.fail(closing)
            if let batch { _ = queue.wrote(0, of: batch, isBlocked: false) }
            return .none
        }
    }

    func wait(_ id: UInt64) -> OutboundQueue.WaitAction {
        outbound.wait(id)
    }

    /// Writes at most so much in one batch; nil where there is nothing to write.
    func write(atMost limit: Int = .max) -> [UInt8]? {
        guard let batch = outbound.takeBatch() else { return nil }
        let bytes = batch.bytes(atMost: limit)
        var finished: [UInt64] = []
        act { queue in
            let (action, waiters) = queue.wrote(bytes.count, of: batch, isBlocked: bytes.count < batch.count)
            finished = waiters
            return action
        }
        finishedWaiters += finished
        return bytes
    }

    /// Finds that nobody reads any more. False where nothing is to be written.
    func writeFails() -> Bool {
        guard let batch = outbound.takeBatch() else { return false }
        failWriting(.byPeer, batch)
        return true
    }

    /// Writes all that can be written.
    func writeAll() -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = write() { bytes += more }
        return bytes
    }
}

extension ValueSide: CustomReflectable {
    /// Nothing: an expectation that fails would list every byte.
    var customMirror: Mirror { Mirror(self, children: []) }
}

// MARK: Texts

extension WriteBatch {
    /// What a socket with so much room takes.
    func bytes(atMost limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for chunk in [first] + rest {
            let count = min(chunk.count, limit - bytes.count)
            bytes += chunk.bytes[chunk.range.lowerBound..<chunk.range.lowerBound + count]
        }
        return bytes
    }
}

extension ConversationKey {
    /// The peer's by their id, own ones by their number.
    var text: String { isOwn ? "own \(number)" : "id \(number)" }
}

extension InboundMessage {
    var text: String {
        let name = description?.name.map { "\($0) " } ?? ""
        switch content {
        case .json(let document): return name + "\(document.json)"
        case .bytes(let bytes): return name + "\(bytes.count) bytes"
        }
    }
}

extension ConversationEvent {
    var text: String {
        switch self {
        case .message(let message, let isOpening, let isLast, _):
            (isOpening ? "opens with " : "") + message.text + (isLast ? ", last" : "")
        case .lost(let error, let isOpening, let isLast):
            (isOpening ? "opens with " : "") + "error: \(error.text)" + (isLast ? ", last" : "")
        case .ended: "ended"
        case .failed(let body): "failed: \(String(decoding: body, as: UTF8.self))"
        case .cancelled: "cancelled"
        case .abandoned: "abandoned"
        }
    }
}

extension ChannelError {
    /// Its name, and that of a violation.
    var text: String {
        switch self {
        case .protocolViolation(let error): error.name
        case .aborted(let abort): "aborted: \(abort.code)"
        default: Mirror(reflecting: self).children.first?.label ?? "\(self)"
        }
    }
}
