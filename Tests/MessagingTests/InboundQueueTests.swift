import Reactor
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging

/// What an inbound queue of the native dialect makes of the bytes it is given.
@Suite("Inbound queue")
struct InboundQueueTests {
    /// A side that has read the peer's hello, and opened as many conversations as said.
    private func side(
        isMaker: Bool = false, opened: Int = 0, hasConsumer: Bool = true, limits: ChannelLimits = ChannelLimits()
    ) throws -> ValueSide {
        let side = ValueSide(isMaker: isMaker, limits: limits)
        side.inbound.hasConsumer = hasConsumer
        side.read(Frame.hello())
        for _ in 0..<opened { _ = try side.outbound.open(.opening()) }
        _ = side.writeAll()
        #expect(side.takeLog() == ["hello"])
        return side
    }

    /// What the side says of the bytes.
    private func log(_ bytes: [UInt8], _ side: ValueSide) -> [String] {
        side.read(bytes)
        return side.takeLog()
    }

    // MARK: Portions

    @Test("frames give the same at every split of their bytes, and byte by byte")
    func splits() throws {
        let stream =
            Frame.message("1") + Frame.message("[2", .more) + Frame.ping(5) + Frame.opening("3", .open, id: 1)
            + Frame.message(",2]") + Frame.credit(limit: 1, highestID: 9) + Frame.bytes(0)
            + Frame.opening("4", id: 3) + Frame.message("5", .more, id: 1) + Frame.bytes(2, .more)
            + Frame.message("6", id: 1) + Frame.bytes(3) + Frame.cancel(3) + Frame.opening("7", .open, id: 5)
            + Frame.end(5) + Frame.opening("", .more, id: 7) + Frame.cancel(7) + Frame.cancel(5) + Frame.end()
        let expected = [
            "1", "ping 5", "id 1: opens with 3", "[2,2]", "credit 0 1 9", "0 bytes", "id 3: opens with 4, last",
            "id 1: 56, last", "5 bytes", "id 3: cancelled", "id 5: opens with 7", "id 5: ended", "id 7: cancelled",
            "release id 7", "id 5: cancelled", "ended", "exhausted", "delivered",
        ]
        #expect(log(stream, try side()) == expected)
        for split in 1..<stream.count {
            let side = try side()
            side.read(Array(stream[..<split]), Array(stream[split...]))
            #expect(side.takeLog() == expected, "\(split)")
        }
        let side = try side()
        side.read(stream.map { .bytes([$0]) })
        #expect(side.takeLog() == expected)
    }

    @Test("a frame without a body is told of, though nothing follows it")
    func emptyBodies() throws {
        let side = try side()
        #expect(log(Frame.opening("1", .open, id: 1), side) == ["id 1: opens with 1"])
        #expect(log(Frame.bytes(0, .open, id: 1), side) == ["id 1: 0 bytes"])
        #expect(log(Frame.end(1), side) == ["id 1: ended"])
        #expect(log(Frame.cancel(1), side) == ["id 1: cancelled"])
        #expect(log(Frame.cancel(1), side) == [])
        side.read([.end])
        #expect(side.takeLog() == ["gone: byPeer", "ended", "exhausted", "delivered"])
    }

    @Test("what is held back when the bytes are needed for something else is read as the rest")
    func settling() throws {
        let side = try side()
        let stream = Frame.message("1") + Frame.message("2") + Frame.opening("3", id: 1) + Frame.message("4")
        side.received = { [unowned side] _ in side.inbound.settle() }
        #expect(log(stream, side) == ["1", "2", "id 1: opens with 3, last", "4"])
    }

    @Test("a message is read, and its credit given back, in whatever portions it comes")
    func creditOfPortions() throws {
        let side = try side()
        let frame = Frame.bytes(99_936)
        for portions in [1, 2, 50] {
            let size = frame.count / portions + 1
            for _ in 0..<10 {
                side.read(
                    stride(from: 0, to: frame.count, by: size).map {
                        .bytes(Array(frame[$0..<min($0 + size, frame.count)]))
                    })
            }
        }
        #expect(side.inbound.main.credit.taken == 30 * 100_000)
        #expect(side.inbound.main.credit.offset == 30 * 100_000)
    }

    // MARK: Consumers

    @Test("without a consumer messages are kept, and come in order when there is one")
    func lateConsumer() throws {
        let side = try side(hasConsumer: false)
        #expect(log(Frame.message("1") + Frame.message("x") + Frame.bytes(20_000), side) == [])
        #expect(side.inbound.hasUnread)
        side.inbound.hasConsumer = true
        #expect(log(Frame.message("3"), side) == ["1", "error: badPayload", "20000 bytes", "3"])
    }

    @Test("while a consumer is paused nothing is delivered, and all in order afterwards")
    func pausing() throws {
        let side = try side()
        side.received = { [unowned side] _ in side.inbound.pauses += 1 }
        #expect(log(Frame.message("1") + Frame.message("2") + Frame.message("3"), side) == ["1"])
        side.inbound.pauses -= 1
        side.pump()
        #expect(side.takeLog() == ["2"])
        side.read(Frame.message("4") + Frame.end())
        #expect(side.takeLog() == ["ended", "exhausted, some unread"])
        side.received = { _ in }
        side.inbound.pauses -= 1
        side.pump()
        #expect(side.takeLog() == ["3", "4", "delivered"])
    }

    @Test("a violation is told of after the messages before it, which a consumer takes later")
    func violation() throws {
        let bad = Frame.message("1") + Frame.message("2") + Frame.cancel(9) + Frame.message("3")
        let expected = ["abort: idNotOpened", "ended"]
        #expect(
            log(bad, try side()) == ["1", "2"] + expected + [
                "error: idNotOpened", "exhausted, some unread", "delivered",
            ])
        let later = try side(hasConsumer: false)
        #expect(log(bad, later) == expected + ["exhausted, some unread"])
        later.inbound.hasConsumer = true
        later.pump()
        #expect(later.takeLog() == ["1", "2", "error: idNotOpened", "delivered"])
        #expect(Frame.list(later.writeAll(), afterHello: true) == ["abort"])
    }

    @Test("a consumer that comes and goes takes each message once")
    func comingAndGoing() throws {
        let side = try side(hasConsumer: false)
        side.received = { [unowned side] _ in side.inbound.hasConsumer = false }
        #expect(log(Frame.message("1") + Frame.message("2"), side) == [])
        for text in ["1", "2"] {
            side.inbound.hasConsumer = true
            side.pump()
            #expect(side.takeLog() == [text])
        }
    }

    // MARK: Credit

    @Test("without a consumer no more is kept than the window, whatever comes")
    func boundedBacklog() throws {
        let limits = ChannelLimits(mainWindow: 262_144)
        for size in [0, 100, 10_000, 100_000, 262_144] {
            let side = try side(hasConsumer: false, limits: limits)
            let frame = Frame.bytes(size)
            var count = 0
            while side.inbound.main.credit.isLeft {
                side.read(frame)
                count += 1
            }
            #expect(side.takeLog() == [])
            #expect(side.inbound.main.credit.offset == UInt64(count * (64 + size)))
            #expect(side.inbound.backlog.size <= 4 * 262_144 + 262_208)
            #expect(log(frame, side).first == "abort: overCredit")
        }
    }

    @Test("pings are answered while nobody takes messages, also behind what fills the window")
    func pings() throws {
        let side = try side(hasConsumer: false, limits: ChannelLimits(mainWindow: 262_144))
        side.read(Frame.bytes(262_144) + Frame.ping(7) + Frame.opening("1", id: 1))
        #expect(side.takeLog() == ["ping 7", "id 1: opens with 1, last"])
        #expect(Frame.list(side.writeAll(), afterHello: true) == ["pong"])
    }

    @Test("credit is given as messages are taken")
    func granting() throws {
        let limits = ChannelLimits(mainWindow: 262_144)
        let side = try side(limits: limits)
        #expect(log(Frame.bytes(100_000), side) == ["100000 bytes"])
        #expect(log(Frame.bytes(100_000), side) == ["100000 bytes", "grant 0 462272"])
        side.inbound.pauses = 1
        #expect(log(Frame.bytes(200_000), side) == [])
        side.inbound.pauses = 0
        side.pump()
        #expect(side.takeLog() == ["200000 bytes", "grant 0 662336"])
    }

    @Test("a begun message that somebody waits for comes to its end, however long it is")
    func longMessages() throws {
        for id: UInt64 in [0, 1] {
            let side = try side(limits: ChannelLimits(mainWindow: 262_144))
            var sender = SendingCredit(limit: 262_144)
            side.outbound.control = ControlFrames()
            for number in 0..<40 {
                #expect(sender.isLeft)
                let flags: FrameFlags = number == 39 ? [] : .more
                let frame =
                    id == 0
                    ? Frame.bytes(200_000, flags)
                    : number == 0
                        ? Frame.frame(.bytes, [.meta, .more], id: 1, [0, 2] + Array("{}".utf8))
                            + Frame.bytes(199_932, flags, id: 1) : Frame.bytes(200_000, flags, id: 1)
                sender.spend(200_064)
                side.read(frame)
                for text in side.takeLog() where text.hasPrefix("grant") {
                    sender.raise(to: UInt64(text.split(separator: " ")[2]) ?? 0)
                }
            }
            #expect(side.inbound.lanes[1]?.begun == nil && side.inbound.main.begun == nil)
        }
    }

    @Test("nothing beyond the window is granted for a begun message that nobody waits for")
    func begunWithoutConsumer() throws {
        let side = try side(hasConsumer: false, limits: ChannelLimits(mainWindow: 262_144))
        #expect(log(Frame.bytes(262_080, .more), side) == [])
        #expect(!side.inbound.main.credit.isLeft)
        side.inbound.hasConsumer = true
        side.pump()
        #expect(side.takeLog() == ["grant 0 524288"])
    }

    @Test("the peer gets credit for a conversation as its messages are dealt with")
    func conversationCredit() throws {
        let side = try side()
        var costs: [UInt64] = []
        side.happened = { _, event in if case .message(_, _, _, let cost) = event { costs.append(cost) } }
        side.read(Frame.frame(.bytes, [.meta, .open], id: 1, [0, 2] + Array("{}".utf8)))
        for _ in 0..<2 { side.read(Frame.bytes(131_000, .open, id: 1)) }
        #expect(costs == [68, 131_064, 131_064])
        #expect(!side.takeLog().contains { $0.hasPrefix("grant") })
        for cost in costs { side.took(.peer(1), cost: cost) }
        #expect(side.takeLog() == ["grant 1 393276"])
    }

    @Test("what is read to where it is gathered is the same, and costs the same, as what is copied there")
    func readDirectly() throws {
        let opening = Frame.frame(.bytes, [.meta, .more], id: 1, [0, 2] + Array("{}".utf8) + [9])
        let frames =
            [Frame.bytes(9, .more), opening]
            + (1...9).flatMap { number -> [[UInt8]] in
                let flags: FrameFlags = number == 9 ? .none : .more
                let body = (0..<(number * 3000)).map { UInt8(truncatingIfNeeded: $0 / number) }
                return [Frame.frame(.bytes, flags, body), Frame.frame(.bytes, flags, id: 1, body)]
            }
        let next = Frame.message("1")
        // A read goes to the end of the body, a little further, or not so far.
        for further in [-1, 0, 1, FrameHeader.size, FrameHeader.size + 5] {
            var portions: [[UInt8]] = []
            var rest = frames.flatMap(\.self) + next
            var borders: [Int] = []
            for frame in frames {
                borders += [(borders.last ?? 0) + FrameHeader.size, (borders.last ?? 0) + frame.count + further]
            }
            var position = 0
            for border in borders where border > position {
                portions.append(Array(rest.prefix(border - position)))
                rest.removeFirst(min(border - position, rest.count))
                position = border
            }
            var logs: [[String]] = []
            var contents: [[UInt8]] = []
            for directSize in [0, Int.max] {
                let side = try side()
                side.inbound.directSize = directSize
                side.received = { message in if case .bytes(let bytes) = message.content { contents.append(bytes) } }
                side.happened = { [unowned side] _, event in
                    guard case .message(let message, _, _, let cost) = event else { return }
                    if case .bytes(let bytes) = message.content { contents.append(bytes) }
                    side.note("cost \(cost)")
                    side.took(.peer(1), cost: cost)
                }
                side.read((portions + [rest]).map { .bytes($0) })
                logs.append(side.takeLog())
                #expect(side.inbound.main.credit.taken == side.inbound.main.credit.offset)
            }
            #expect(logs[0] == logs[1] && logs[0].last == "1", "\(further)")
            #expect(contents.count == 4 && contents[0] == contents[2] && contents[1] == contents[3])
            #expect(contents.map(\.count) == [135_009, 135_001, 135_009, 135_001])
        }
    }

    @Test("a frame that goes far beyond the limit is made up for")
    func farBeyond() throws {
        let side = try side()
        side.read(Frame.frame(.bytes, [.meta, .open], id: 1, [0, 2] + Array("{}".utf8)))
        side.read(Frame.bytes(262_000, .open, id: 1) + Frame.bytes(262_144, .open, id: 1))
        side.took(.peer(1), cost: 68)
        side.took(.peer(1), cost: 262_064)
        _ = side.takeLog()
        side.took(.peer(1), cost: 262_208)
        #expect(side.takeLog() == ["grant 1 \(68 + 262_064 + 262_208 + 262_144)"])
    }

    @Test("begun messages beyond 64 MiB wait for each other, and the oldest goes on")
    func gathering() throws {
        let limits = ChannelLimits(messageLimit: 1 << 30, window: 262_144, ids: 8)
        let side = try side(limits: limits)
        var senders: [UInt64: SendingCredit] = [:]
        func deliver() {
            for text in side.takeLog() where text.hasPrefix("grant") {
                let words = text.split(separator: " ").compactMap { UInt64($0) }
                senders[words[0]]?.raise(to: words[1])
            }
        }
        func send(_ id: UInt64, _ flags: FrameFlags) {
            senders[id]?.spend(262_208)
            side.read(Frame.bytes(262_144, flags, id: id))
            deliver()
        }
        for id: UInt64 in [1, 3, 5] {
            senders[id] = SendingCredit(limit: 262_144)
            senders[id]?.spend(68)
            side.read(Frame.frame(.bytes, [.meta, .open], id: id, [0, 2] + Array("{}".utf8)))
        }
        // The second begins, and goes as far as all may go together; the last waits then, but not the first.
        var count = 0
        while senders[3]!.isLeft, count < 400 {
            send(3, .more)
            count += 1
        }
        #expect(count == 400)
        send(1, .more)
        send(5, .more)
        while senders[5]!.isLeft { send(5, .more) }
        while senders[3]!.isLeft { send(3, .more) }
        #expect(side.inbound.stalled.contains(3) && side.inbound.stalled.contains(5))
        for _ in 0..<50 {
            #expect(senders[1]!.isLeft)
            send(1, .more)
        }
        // Whoever has waited goes on when the others are out of the way.
        side.read(Frame.cancel(3))
        deliver()
        #expect(senders[5]!.isLeft)
        #expect(!side.inbound.stalled.contains(5))
    }

    // MARK: The end

    @Test("the end of the stream after the end is none, and without it the peer is gone")
    func endOfStream() throws {
        var side = try side()
        side.read([.bytes(Frame.message("1") + Frame.end()), .end])
        #expect(side.takeLog() == ["1", "ended", "exhausted", "delivered", "gone: byPeer"])
        side = try self.side()
        side.read([.bytes(Frame.message("1")), .reset])
        #expect(side.takeLog() == ["1", "gone: byPeer", "ended", "exhausted", "delivered"])
        #expect(side.inbound.hasPeerLeftUnread)
    }

    @Test("a frame or a message that is cut off is told of once, however many there are")
    func truncated() throws {
        let whole = Frame.message("1")
        let openings = Frame.opening("2", .more, id: 1) + Frame.opening("3", .more, id: 3)
        for rest in [[0], Array(whole.dropLast()), Frame.message("1", .more), openings, openings + [1, 2]] {
            let side = try side()
            side.read([.bytes(whole + rest), .end])
            let log = side.takeLog()
            #expect(log.filter { $0.hasPrefix("error") } == ["error: truncated"])
            #expect(log.first == "1" && log.last == "delivered")
        }
    }

    @Test("a conversation whose last message does not come as a whole is over with the stream")
    func lastCutOff() throws {
        for last in [Frame.message("12", id: 2), Frame.failure("{}", id: 2)] {
            for count in 0..<last.count {
                let side = try side(opened: 1)
                side.read([.bytes(Array(last[..<count])), .end])
                #expect(side.takeLog().filter { $0.hasPrefix("own") } == ["own 1: abandoned"], "\(count)")
            }
        }
        // Nor does a mistake in it leave anybody waiting.
        let side = try side(opened: 1)
        side.read(Frame.frame(.message, .meta, id: 2, [0, 2, 0, 0]))
        #expect(side.takeLog().filter { $0.hasPrefix("own") } == ["own 1: abandoned"])
    }

    @Test("what comes of a conversation that was given up in the middle of its last message is dropped")
    func cancelledInLast() throws {
        let side = try side(opened: 1)
        let last = Frame.message("12", id: 2)
        side.read(Array(last[..<17]))
        side.cancel(ConversationKey(isOwn: true, number: 1))
        side.read(last[17...] + Frame.message("3"))
        #expect(side.takeLog() == ["3"])
        #expect(Frame.list(side.writeAll(), afterHello: true) == ["cancel 2"])
    }

    @Test("the rest of a message in a conversation that is over is not missed")
    func notTruncated() throws {
        let side = try side(opened: 1)
        let key = try #require(side.outbound.conversations.key(of: 2))
        side.read(Frame.message("1", .more, id: 2))
        side.cancel(key)
        side.read(Frame.opening("2", .more, id: 1))
        #expect(try side.outbound.accept(.failure("{}"), in: .peer(1)))
        _ = side.writeAll()
        side.read([.end])
        #expect(!side.takeLog().contains { $0.hasPrefix("error") })
    }

    @Test("nothing is missed after the end, and what breaks the rules then is told of")
    func afterEnd() throws {
        var side = try side()
        side.read([.bytes(Frame.end() + [0, 0]), .end])
        #expect(!side.takeLog().contains { $0.hasPrefix("error") })
        for (frame, name) in [
            (Frame.message("1"), "afterEnd"), (Frame.end(), "afterEnd"), (Frame.opening("1", id: 1), "afterEnd"),
            (Frame.cancel(7), "idNotOpened"),
        ] {
            for hasConsumer in [true, false] {
                side = try self.side(hasConsumer: hasConsumer)
                side.read(Frame.message("0") + Frame.end() + frame)
                side.inbound.hasConsumer = true
                side.pump()
                let log = side.takeLog()
                #expect(log.filter { $0.hasPrefix("error") } == ["error: \(name)"])
                #expect(log.filter { $0 == "delivered" }.count == 1 && log.filter { $0 == "0" }.count == 1)
            }
        }
    }

    @Test("an abort is told of once, and nothing is read after it; also after the end")
    func abort() throws {
        let abort = try Abort(code: Abort.notTaken, message: "x").frame()
        let expected = [
            "gone: protocolViolation", "ended", "error: aborted: notTaken", "exhausted, some unread", "delivered",
        ]
        #expect(log(Frame.message("1") + abort + Frame.message("2") + [1, 2], try side()) == ["1"] + expected)
        let after = log(Frame.end() + abort, try side())
        #expect(after.filter { $0.hasPrefix("error") } == ["error: aborted: notTaken"])
        let side = try side()
        side.read([.bytes(abort), .end])
        #expect(side.takeLog() == expected)
    }

    @Test("a conversation of which the peer owes something is over with its end, before any later frame is looked at")
    func abandoned() throws {
        let side = try side(opened: 2)
        side.read(
            Frame.opening("1", .open, id: 1) + Frame.opening("2", id: 3) + Frame.message("3", id: 4) + Frame.end()
                + Frame.message("4", id: 1) + Frame.message("5", id: 2) + Frame.cancel(3))
        #expect(
            side.takeLog() == [
                "id 1: opens with 1", "id 3: opens with 2, last", "own 2: 3, last", "ended", "id 1: abandoned",
                "own 1: abandoned", "id 3: cancelled", "exhausted", "delivered",
            ])
    }

    // MARK: Conversations

    @Test("the first message of a conversation is known as such, also in several frames")
    func longOpening() throws {
        let side = try side()
        side.read(Frame.opening("[1", .more, id: 1) + Frame.message("]", .open, id: 1) + Frame.message("2", id: 1))
        #expect(side.takeLog() == ["id 1: opens with [1]", "id 1: 2, last"])
    }

    @Test("a conversation that is over before its first message is whole makes room for another")
    func overBeforeOpened() throws {
        let side = try side(limits: ChannelLimits(ids: 1))
        for number: UInt64 in 0..<10 {
            let id = 2 * number + 1
            side.read(Frame.opening("[1", .more, id: id) + Frame.cancel(id) + Frame.message("]", id: id))
            #expect(side.takeLog() == ["id \(id): cancelled", "release id \(id)"])
            #expect(Frame.list(side.writeAll(), afterHello: true) == ["credit"])
        }
        #expect(side.inbound.lanes.isEmpty)
    }

    @Test("what is told of all ids counts, also under an id that has ended")
    func lateCredit() throws {
        let side = try side()
        side.read(Frame.opening("1", id: 1) + Frame.cancel(1) + Frame.credit(1, limit: 5, highestID: 40))
        #expect(side.takeLog().last == "allowed 40")
    }

    @Test("nothing is kept of conversations that are over")
    func forgetting() throws {
        let side = try side(isMaker: true, opened: 3)
        side.read(Frame.message("1", id: 1) + Frame.failure("{}", id: 3) + Frame.message("2", .more, id: 5))
        side.cancel(ConversationKey(isOwn: true, number: 3))
        side.read(Frame.opening("3", id: 2))
        #expect(try side.outbound.accept(.bytes(1), in: .peer(2)))
        _ = side.writeAll()
        side.read(Frame.opening("4", .open, id: 4))
        #expect(Array(side.inbound.lanes.keys) == [4])
    }

    @Test("an end within a message is none")
    func endInMessage() throws {
        #expect(log(Frame.message("1", .more) + Frame.end(), try side()).first == "abort: interruptedMessage")
        let frames = Frame.opening("1", .more, id: 1) + Frame.end(1)
        #expect(log(frames, try side()).first == "abort: interruptedMessage")
    }

    @Test("a failure that follows the last message needs credit")
    func failureAfterLast() throws {
        let side = try side()
        side.read(Frame.frame(.bytes, .meta, id: 1, [0, 2] + Array("{}".utf8) + [UInt8](repeating: 1, count: 262_100)))
        _ = side.takeLog()
        #expect(log(Frame.failure("{}", id: 1), side).first == "abort: overCredit")
    }

    // MARK: Handles

    /// Copies of a descriptor of this process, as if they had come with bytes.
    private func handles(_ count: Int, isTruncated: Bool = false) throws -> ArrivedHandles {
        var list = DescriptorList()
        let null = Descriptor(owning: try FileDescriptor.open("/dev/null", .readOnly).rawValue)
        for _ in 0..<count { list.append(try null.duplicate(atLeast: 3)) }
        return ArrivedHandles(handles: SharedDescriptors(list), isTruncated: isTruncated)
    }

    @Test("handles come with the message whose header begins in the same bytes")
    func handles() throws {
        let side = try side()
        var counts: [Int] = []
        side.received = { counts.append($0.handles?.count ?? 0) }
        let frame = Frame.bytes(4, handles: 2)
        side.read([.bytes(Frame.bytes(1) + frame[..<3], try handles(2)), .bytes(Array(frame[3...]))])
        #expect(counts == [0, 2] && side.takeLog() == ["1 bytes", "4 bytes"])
        side.read([.bytes(frame, try handles(1))])
        #expect(side.takeLog().first == "abort: handlesDoNotMatch")
    }

    @Test("handles that were lost cost their message, in a conversation too")
    func lostHandles() throws {
        let side = try side()
        side.read([.bytes(Frame.bytes(4, handles: 2) + Frame.message("1"), try handles(1, isTruncated: true))])
        #expect(side.takeLog() == ["error: handlesLost", "1"])
        let opening = Frame.frame(.bytes, [.meta, .open], id: 1, handles: 1, [0, 2] + Array("{}".utf8))
        side.read([.bytes(opening, try handles(0, isTruncated: true))])
        #expect(side.takeLog() == ["id 1: opens with error: handlesLost"])
        let deaf = try self.side(limits: ChannelLimits(acceptsHandles: false))
        deaf.read([.bytes(Frame.bytes(4, handles: 2), try handles(0, isTruncated: true))])
        #expect(deaf.takeLog() == ["error: handlesNotTaken"])
    }

    @Test("handles of a late frame are closed with it, and those that nobody announces do not match")
    func lateHandles() throws {
        let side = try side(opened: 1)
        side.cancel(ConversationKey(isOwn: true, number: 1))
        side.read([.bytes(Frame.bytes(4, id: 2, handles: 2) + Frame.message("1"), try handles(2))])
        #expect(side.takeLog() == ["1"])
        #expect(side.inbound.handles.count == 0 && side.inbound.handles.batchCount == 0)
        side.read([.bytes(Frame.message("2"), try handles(1))])
        #expect(side.takeLog().starts(with: ["2", "abort: handlesDoNotMatch"]))
    }
}
