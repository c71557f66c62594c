import Foundation
import JSONCodec
import Wire

@testable import Messaging

/// A message with a content that can be told from that of others.
struct JoinedMessage {
    let number: Int
    let size: Int
    let isJSON: Bool
    var isLast = true

    private var text: String { String(repeating: "x", count: size) + "\(number)" }

    private var bytes: [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
        if size > 1 { bytes[size - 1] = UInt8(truncatingIfNeeded: number >> 8) }
        return bytes
    }

    func outbound(_ description: MessageDescription? = nil, isOpen: Bool = false) throws -> OutboundMessage {
        var flags: FrameFlags = isOpen ? .open : []
        if description != nil { flags.insert(.meta) }
        if !isJSON, size > 16 * 1024, description == nil {
            return OutboundMessage(kind: .bytes, bytes: bytes, bodyStart: 0, flags: flags)
        }
        var buffer: [UInt8] = []
        if isJSON {
            try FrameEncoder.appendMessage(text, description: description, to: &buffer)
        } else {
            FrameEncoder.appendBody([], to: &buffer)
            try description?.append(to: &buffer)
            buffer += bytes
        }
        return OutboundMessage(kind: isJSON ? .message : .bytes, bytes: buffer, flags: flags)
    }

    func isSame(as message: InboundMessage) -> Bool {
        switch message.content {
        case .json(let document): isJSON && document.json.stringValue == text
        case .bytes(let bytes): !isJSON && bytes.isSame(as: self.bytes)
        }
    }
}

/// A conversation as both sides know it together.
final class JoinedConversation {
    enum Item {
        case message(JoinedMessage)
        case end
        case failure
    }

    /// What the opener has said, and what the other side has.
    var said: [Bool: [Item]] = [true: [], false: []]
}

/// A side's part in a conversation.
final class JoinedPart {
    enum Action {
        case say
        case sayLast
        case end
        case fail
        case cancel
    }

    let conversation: JoinedConversation
    let isOpener: Bool
    let key: ConversationKey
    var actions: [Action]
    /// Says nothing before it has heard all.
    let waits: Bool
    var heardCount = 0
    var hasHeardLast = false
    var hasSaidLast = false
    /// It has given the conversation up, or failed it.
    var isLeft = false
    var hasFailed = false
    /// It was told that it is over.
    var overCount = 0
    var untaken: [UInt64] = []
    var isReleased = false

    init(
        _ conversation: JoinedConversation, isOpener: Bool, _ key: ConversationKey, _ actions: [Action], waits: Bool
    ) {
        self.conversation = conversation
        self.isOpener = isOpener
        self.key = key
        self.actions = actions
        self.waits = waits
    }

    var isOver: Bool { isLeft || overCount > 0 }
    var hasEnd: Bool { isLeft || hasFailed || hasHeardLast || overCount > 0 }
    var isDone: Bool { isOver || hasSaidLast && (hasHeardLast || hasFailed) }
}

/// What a program does with a side: it sends, opens, answers and gives up.
final class JoinedProgram {
    let side: ValueSide
    private let options: JoinedOptions
    private var conversations: JoinedConversations
    private(set) var mistakes: [String] = []

    // Plain messages.
    var plainLeft: Int
    private(set) var sent: [JoinedMessage] = []
    private(set) var receivedCount = 0
    weak var other: JoinedProgram?

    var openingsLeft: Int
    private(set) var parts: [ConversationKey: JoinedPart] = [:]
    private var keys: [ConversationKey] = []
    private(set) var errors: [String] = []
    private(set) var waiters: [UInt64: Int] = [:]
    private var lastWaiter: UInt64 = 0
    private var hasConversations: Bool { !parts.isEmpty }
    /// Prints what happens.
    private let isTraced: Bool

    init(_ side: ValueSide, _ options: JoinedOptions, _ conversations: JoinedConversations, isTraced: Bool) {
        self.side = side
        self.isTraced = isTraced
        self.options = options
        self.conversations = conversations
        plainLeft = options.plainCount
        openingsLeft = options.conversationCount
        if isTraced { side.trace = { [unowned self] in note($0()) } } else { side.trace = { _ in } }
        side.received = { [unowned self] in receive($0) }
        side.failed = { [unowned self] in errors.append($0.text) }
        side.happened = { [unowned self] in hear($0, $1) }
    }

    func note(_ text: @autoclosure () -> String) {
        if isTraced { print(side.outbound.conversations.isOwn(1) ? "maker:" : "other:", text()) }
    }

    func require(_ condition: Bool, _ mistake: @autoclosure () -> String) {
        if !condition { mistakes.append(mistake()) }
    }

    // MARK: Plain messages

    private func receive(_ message: InboundMessage) {
        guard let other, receivedCount < other.sent.count else { return require(false, "a message that nobody sent") }
        require(other.sent[receivedCount].isSame(as: message), "message \(receivedCount) is another one")
        receivedCount += 1
    }

    private func sendPlain(_ random: inout SeededRandom) -> Bool {
        guard plainLeft > 0, side.outbound.closing == nil else { return false }
        plainLeft -= 1
        let message = options.message(sent.count, &random)
        do {
            _ = try side.outbound.accept(try message.outbound())
            sent.append(message)
        } catch {
            require(false, "a message was refused: \(error)")
        }
        return true
    }

    func wait() {
        lastWaiter += 1
        if side.wait(lastWaiter) == .wait { waiters[lastWaiter] = sent.count }
    }

    func checkWaiters(_ writtenCount: Int) {
        for id in side.takeFinishedWaiters() {
            guard let count = waiters.removeValue(forKey: id) else { return require(false, "a waiter is told twice") }
            require(writtenCount >= count, "a waiter is told too soon")
        }
        for id in side.takeFailedWaiters() { require(waiters.removeValue(forKey: id) != nil, "a waiter fails twice") }
        guard !hasConversations else { return }
        require(!waiters.values.contains { $0 <= writtenCount && $0 > 0 }, "a waiter is not told in time")
    }

    // MARK: Conversations

    private func open(_ random: inout SeededRandom) -> Bool {
        guard openingsLeft > 0, side.outbound.closing == nil else { return false }
        openingsLeft -= 1
        let conversation = JoinedConversation()
        let name = conversations.add(conversation)
        var actions = options.actions(&random)
        var first = options.message(0, &random)
        // The first action is a message.
        first.isLast = actions[0] == .sayLast
        if actions[0] != .sayLast, actions[0] != .say { actions.insert(.say, at: 0) }
        do {
            let message = try first.outbound(MessageDescription(name: name), isOpen: !first.isLast)
            conversation.said[true]?.append(.message(first))
            let key = try side.outbound.open(message)
            let part = JoinedPart(conversation, isOpener: true, key, Array(actions.dropFirst()), waits: false)
            part.hasSaidLast = first.isLast
            parts[key] = part
            keys.append(key)
        } catch OutboundQueue.AcceptError.closed(.byPeer) {
            // It has ended, and this side has not yet.
        } catch {
            require(false, "a conversation was refused: \(error)")
        }
        return true
    }

    private func hear(_ key: ConversationKey, _ event: ConversationEvent) {
        if case .message(let message, isOpening: true, _, _) = event {
            guard let conversation = conversations.find(message.description?.name) else {
                return require(false, "a conversation that nobody opened")
            }
            require(parts[key] == nil, "a conversation is opened twice")
            let actions = options.answer(key.number)
            parts[key] = JoinedPart(
                conversation, isOpener: false, key, actions, waits: key.number % 4 < 2)
            keys.append(key)
        }
        // Over before its first message was whole.
        guard let part = parts[key] else { return require(!key.isOwn, "an event of no conversation") }
        require(!part.isLeft, "\(key.text): \(event.text) after it was given up")
        require(part.overCount == 0, "\(key.text): \(event.text) after its end")
        switch event {
        case .message(let message, let isOpening, let isLast, let cost):
            hear(message, isOpening: isOpening, isLast: isLast, part)
            part.untaken.append(cost)
        case .ended:
            require(!part.hasHeardLast, "two ends")
            if case .end? = next(of: part) {} else { require(false, "an end that nobody said") }
            part.heardCount += 1
            part.hasHeardLast = true
        case .failed:
            if case .failure? = next(of: part) {} else { require(false, "a failure that nobody said") }
            part.overCount += 1
        case .cancelled, .abandoned:
            part.overCount += 1
        case .lost(let error, _, _):
            require(false, "\(key.text): \(error.text)")
        }
    }

    private func next(of part: JoinedPart) -> JoinedConversation.Item? {
        let said = part.conversation.said[!part.isOpener] ?? []
        return part.heardCount < said.count ? said[part.heardCount] : nil
    }

    private func hear(_ message: InboundMessage, isOpening: Bool, isLast: Bool, _ part: JoinedPart) {
        require(!part.hasHeardLast, "a message after the last")
        guard case .message(let expected)? = next(of: part) else {
            return require(false, "\(part.key.text): a message that nobody said")
        }
        require(expected.isSame(as: message), "\(part.key.text): message \(part.heardCount) is another one")
        require(isLast == expected.isLast, "\(part.key.text): the last message is another one")
        require(isOpening == (part.heardCount == 0 && !part.isOpener), "\(part.key.text): it is opened elsewhere")
        part.heardCount += 1
        if isLast { part.hasHeardLast = true }
    }

    // MARK: Steps

    /// Does one thing that can be done. False where there is none.
    func step(_ random: inout SeededRandom) -> Bool {
        if random.isOne(in: 2), sendPlain(&random) { return true }
        if random.isOne(in: 2), open(&random) { return true }
        if !keys.isEmpty {
            let start = random.number(0...keys.count - 1)
            for index in keys.indices {
                let index = (start + index) % keys.count
                if let part = parts[keys[index]], step(part, &random) {
                    if part.isDone, part.untaken.isEmpty, part.isReleased || part.key.isOwn { keys.remove(at: index) }
                    return true
                }
            }
        }
        return sendPlain(&random) || open(&random)
    }

    private func step(_ part: JoinedPart, _ random: inout SeededRandom) -> Bool {
        if part.isDone, !part.isReleased, !part.key.isOwn {
            part.isReleased = true
            side.release(part.key)
            return true
        }
        if !part.untaken.isEmpty, random.isOne(in: 2) {
            let cost = part.untaken.removeFirst()
            if !part.isOver { side.took(part.key, cost: cost) }
            return true
        }
        if !part.isOver, !part.hasFailed, let action = part.actions.first,
            !part.waits || part.hasHeardLast || action == .cancel
        {
            part.actions.removeFirst()
            perform(action, part, &random)
            return true
        }
        if part.untaken.isEmpty { return false }
        let cost = part.untaken.removeFirst()
        if !part.isOver { side.took(part.key, cost: cost) }
        return true
    }

    private func perform(_ action: JoinedPart.Action, _ part: JoinedPart, _ random: inout SeededRandom) {
        note("\(part.key.text): \(action)s")
        if action == .cancel {
            part.isLeft = true
            side.cancel(part.key)
            return
        }
        if part.hasSaidLast { return }
        do {
            var isAccepted = false
            switch action {
            case .say, .sayLast:
                var message = options.message(part.conversation.said[part.isOpener]?.count ?? 0, &random)
                message.isLast = action == .sayLast
                // Before it is written: it may be heard at once.
                part.conversation.said[part.isOpener]?.append(.message(message))
                isAccepted = try side.outbound.accept(try message.outbound(isOpen: !message.isLast), in: part.key)
            case .end:
                part.conversation.said[part.isOpener]?.append(.end)
                isAccepted = try side.outbound.accept(.end, in: part.key)
            case .fail:
                part.conversation.said[part.isOpener]?.append(.failure)
                isAccepted = try side.outbound.accept(.failure("{}"), in: part.key)
                part.hasFailed = true
            case .cancel: break
            }
            require(isAccepted, "\(part.key.text): nothing more can be said")
            if action != .say { part.hasSaidLast = true }
        } catch OutboundQueue.AcceptError.closed {
            require(side.isGone, "\(part.key.text): a reply was refused")
            part.actions = []
        } catch {
            require(false, "\(part.key.text): \(error)")
        }
    }
}

extension [UInt8] {
    /// Whether the bytes are the same; `==` takes its time where nothing is optimized.
    fileprivate func isSame(as other: [UInt8]) -> Bool {
        if count != other.count { return false }
        return withUnsafeBytes { bytes in
            other.withUnsafeBytes { other in
                isEmpty || memcmp(bytes.baseAddress!, other.baseAddress!, bytes.count) == 0
            }
        }
    }
}

/// All conversations, by the names that their descriptions carry.
final class JoinedConversations {
    private var all: [JoinedConversation] = []

    func add(_ conversation: JoinedConversation) -> String {
        all.append(conversation)
        return "\(all.count - 1)"
    }

    func find(_ name: String?) -> JoinedConversation? {
        guard let name, let number = Int(name), all.indices.contains(number) else { return nil }
        return all[number]
    }
}

extension ValueSide {
    /// Nothing is written any more.
    var isGone: Bool {
        switch outbound.state {
        case .aborting, .failed: true
        case .open, .finishing, .ending, .ended: false
        }
    }
}
