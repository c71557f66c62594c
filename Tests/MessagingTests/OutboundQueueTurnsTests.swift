import Reactor
import Testing
import Wire

@testable import Messaging

/// What an outbound queue of the native dialect writes, and in which order.
@Suite("Outbound queue: turns")
struct OutboundQueueTurnsTests {
    /// A side whose hello is written, and which has read the peer's where limits are given.
    private func side(
        _ limits: Hello.Limits? = Hello.Limits(message: 1 << 20, window: 262_144, ids: 8),
        own: ChannelLimits = ChannelLimits(), isMaker: Bool = true
    ) -> ValueSide {
        let side = ValueSide(isMaker: isMaker, limits: own)
        _ = side.writeAll()
        if let limits { side.act { $0.peerAnnounced(limits).action } }
        return side
    }

    private func list(_ bytes: [UInt8]?) -> [String] { Frame.list(bytes ?? [], afterHello: true) }

    private func send(_ message: OutboundMessage, _ side: ValueSide) throws {
        _ = try side.outbound.accept(message)
    }

    private func open(_ message: OutboundMessage, _ side: ValueSide) throws -> ConversationKey {
        try side.outbound.open(message)
    }

    /// The peer opens a conversation.
    private func receive(_ id: UInt64, _ side: ValueSide, _ flags: FrameFlags = .meta) throws -> ConversationKey? {
        let key = try side.outbound.receive(FrameHeader(kind: .message, flags: flags, id: id, bodyCount: 0)).1
        if !flags.contains(.open) { side.outbound.conversations.endThere(id) }
        return key
    }

    private func takeBatch(_ side: ValueSide) throws -> WriteBatch {
        let batch = side.outbound.takeBatch()
        return try #require(batch)
    }

    // MARK: Control

    @Test("the hello goes before everything, also where the socket did not take it at first")
    func hello() throws {
        for written in 0..<ValueSide.hello(ChannelLimits()).count {
            let side = ValueSide()
            try send(.bytes(3), side)
            var bytes = side.write(atMost: written) ?? []
            side.act { $0.say { $0.pong(1) } }
            side.act { $0.socketBecameWritable() }
            bytes += side.writeAll()
            #expect(Frame.list(bytes) == ["hello", "pong", "bytes (3)"], "\(written)")
        }
    }

    @Test("control frames go before data, at the border of a frame only")
    func control() throws {
        // Where a write ends within the frames, and where the pong stands then.
        let border = 262_160
        for (written, position) in [(0, 0), (1, 1), (18, 1), (border - 1, 1), (border, 1), (border + 16, 2)] {
            let side = side(Hello.Limits(message: 1 << 20, window: 1 << 20, ids: 8))
            try send(.bytes(300_000), side)
            var bytes = side.write(atMost: written) ?? []
            // The second frame is in a batch of its own.
            if bytes.count < written { bytes += side.write(atMost: written - bytes.count) ?? [] }
            side.act { $0.say { $0.pong(1) } }
            side.act { $0.socketBecameWritable() }
            bytes += side.writeAll()
            var expected = ["bytes more (262144)", "bytes (37856)"]
            expected.insert("pong", at: position)
            #expect(list(bytes) == expected, "\(written)")
        }
    }

    // MARK: Turns

    @Test("each lane that has something to say gets a frame in turn")
    func turns() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 1 << 30, ids: 8))
        _ = try open(.opening(600_000), side)
        try send(.bytes(600_000), side)
        _ = try open(.opening(600_000), side)
        #expect(
            list(side.writeAll()) == [
                "bytes 1 more meta (262144)", "bytes more (262144)", "bytes 3 more meta (262144)",
                "bytes 1 more (262144)", "bytes more (262144)", "bytes 3 more (262144)",
                "bytes 1 (75716)", "bytes (75712)", "bytes 3 (75716)",
            ])
    }

    @Test("small messages of id 0 do not wait for a long one of another id, however slowly that is written")
    func smallBehindLong() throws {
        let side = side(Hello.Limits(message: 1 << 24, window: 1 << 30, ids: 8))
        _ = try open(.opening(10_000_000), side)
        // Each of these writes could cut one frame more in advance.
        for _ in 0..<20 {
            _ = side.write(atMost: 1000)
            side.act { $0.socketBecameWritable() }
        }
        try send(.bytes(3), side)
        let rest = list(side.writeAllAfterBody())
        let position = rest.firstIndex(of: "bytes (3)") ?? .max
        #expect(position <= 2)
    }

    @Test("small messages of id 0 without end do not keep other lanes waiting")
    func longBehindSmall() throws {
        let side = side(Hello.Limits(message: 1 << 24, window: 1 << 30, ids: 8))
        for _ in 0..<1000 { try send(.bytes(10_000), side) }
        _ = try open(.opening(600_000), side)
        var written: [String] = []
        for _ in 0..<30 {
            for _ in 0..<10 { try send(.bytes(60_000), side) }
            written += list(side.write())
        }
        #expect(written.filter { $0.hasPrefix("bytes 1 ") }.count == 3)
    }

    @Test("the messages of an id keep their order, whatever their sizes")
    func orderWithinID() throws {
        var random = SeededRandom(1)
        let side = side(Hello.Limits(message: 1 << 20, window: 1 << 30, ids: 8))
        let key = try open(.opening(0, .open), side)
        var expected: [UInt64: [String]] = [0: [], 1: ["4"]]
        var written: [UInt8] = []
        for number in 0..<300 {
            let size = random.isOne(in: 10) ? 262_145 + number : number
            let isMain = random.isOne(in: 2)
            if isMain {
                try send(.bytes(size), side)
            } else {
                #expect(try side.outbound.accept(.bytes(size, .open), in: key))
            }
            if size > 262_144 { expected[isMain ? 0 : 1]?.append("262144") }
            expected[isMain ? 0 : 1]?.append("\(size > 262_144 ? size - 262_144 : size)")
            if random.isOne(in: 3) { written += side.write(atMost: random.number(0...300_000)) ?? [] }
            side.act { $0.socketBecameWritable() }
        }
        written += side.writeAll()
        var found: [UInt64: [String]] = [:]
        for text in list(written) {
            let size = text.split(separator: "(").last?.dropLast() ?? ""
            found[text.hasPrefix("bytes 1") ? 1 : 0, default: []].append(String(size))
        }
        #expect(found == expected)
    }

    // MARK: Control frames

    @Test("what is to be said while the socket is full stands behind what waits there already")
    func controlFramesInOrder() throws {
        let side = side()
        for payload in UInt64(1)...3 {
            side.act { $0.say { $0.pong(payload) } }
            #expect(side.write(atMost: 0) ?? [] == [])
            side.act { $0.socketBecameWritable() }
        }
        let pongs = (UInt64(1)...3).map { FrameEncoder.control(.pong, $0) }
        #expect(side.writeAll() == Array(pongs.joined()))
    }

    // MARK: Ids

    @Test("an id is given when the first frame is cut, so that none is skipped by who gives up before")
    func ids() throws {
        let side = side()
        let first = try open(.opening(1), side)
        let second = try open(.opening(2), side)
        let third = try open(.opening(3), side)
        side.cancel(second)
        #expect(list(side.writeAll()) == ["bytes 1 meta (5)", "bytes 3 meta (7)"])
        #expect(side.outbound.conversations.key(of: 1) == first)
        #expect(side.outbound.conversations.key(of: 3) == third)
    }

    @Test("conversations beyond what the peer allows go later, in order")
    func waitingForIDs() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 262_144, ids: 1))
        for count in 1...4 { _ = try open(.opening(count), side) }
        #expect(list(side.writeAll()) == ["bytes 1 meta (5)"])
        #expect(side.outbound.awaitsPeer)
        _ = try open(.opening(5), side)
        side.act { $0.credited(0, limit: 0, highestID: 5) }
        #expect(list(side.writeAll()) == ["bytes 3 meta (6)", "bytes 5 meta (7)"])
        side.act { $0.allowed(highestID: 9) }
        #expect(list(side.writeAll()) == ["bytes 7 meta (8)", "bytes 9 meta (9)"])
    }

    @Test("conversations that were opened before the peer's hello go in order")
    func openedBeforeHello() throws {
        let side = side(nil)
        for count in 1...20 { _ = try open(.opening(count), side) }
        #expect(side.writeAll() == [])
        side.act { $0.peerAnnounced(Hello.Limits(message: 1 << 20, window: 262_144, ids: 20)).action }
        #expect(list(side.writeAll()) == (1...20).map { "bytes \(2 * $0 - 1) meta (\($0 + 4))" })
    }

    @Test("a conversation of the peer's is answered under its id, which is over when both sides have ended it")
    func answering() throws {
        let side = side(isMaker: false)
        let key = try #require(try receive(1, side))
        #expect(try side.outbound.accept(.bytes(1, .open), in: key))
        #expect(try side.outbound.accept(.bytes(2), in: key))
        #expect(try !side.outbound.accept(.bytes(3), in: key))
        #expect(list(side.writeAll()) == ["bytes 1 open (1)", "bytes 1 (2)"])
        #expect(side.outbound.conversations.count == 0)
        #expect(try !side.outbound.accept(.bytes(3), in: key))
    }

    @Test("the peer may open more as its conversations have been let go, though others go on for ever")
    func allowing() throws {
        let side = side(own: ChannelLimits(ids: 4), isMaker: false)
        for id: UInt64 in [1, 3, 5, 7] {
            let key = try #require(try receive(id, side, [.meta, .open]))
            // Too early to be worth a frame. It must not be forgotten.
            if id == 1 {
                _ = side.outbound.cancel(key)
                side.release(key)
                #expect(list(side.writeAll()) == ["cancel 1"])
            }
        }
        #expect(list(side.writeAll()) == ["credit"])
        #expect(side.outbound.conversations.highestPeer == 9)
    }

    @Test("nothing is opened any more once the peer has ended, and what waits for that is over")
    func peerEnded() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 262_144, ids: 1))
        let keys = [try open(.opening(1), side), try open(.opening(2), side)]
        _ = side.writeAll()
        #expect(side.outbound.peerEnded() == keys)
        #expect(throws: OutboundQueue.AcceptError.closed(.byPeer)) { _ = try open(.opening(3), side) }
        #expect(side.outbound.queuedCount == 0)
    }

    // MARK: Credit

    @Test("without credit data waits, and goes on with more; other ids and control frames go on")
    func credit() throws {
        let side = side()
        for _ in 0..<3 { try send(.bytes(200_000), side) }
        #expect(list(side.writeAll()) == ["bytes (200000)", "bytes (200000)"])
        #expect(side.outbound.awaitsPeer)
        _ = try open(.opening(1), side)
        side.act { $0.say { $0.pong(1) } }
        #expect(list(side.writeAll()) == ["pong", "bytes 1 meta (5)"])
        side.act { $0.credited(0, limit: 400_128, highestID: 0) }
        #expect(side.writeAll() == [])
        side.act { $0.credited(0, limit: 400_129, highestID: 0) }
        #expect(list(side.writeAll()) == ["bytes (200000)"])
    }

    @Test("an end costs nothing, and waits for no credit")
    func endWithoutCredit() throws {
        let side = side()
        let key = try open(.opening(262_140, .open), side)
        #expect(try side.outbound.accept(.end, in: key))
        #expect(list(side.writeAll()) == ["bytes 1 open meta (262144)", "end 1"])
    }

    @Test("the credit that the peer needs is told, although this side has said its last message")
    func creditAfterLast() throws {
        let side = side()
        _ = try open(.opening(1), side)
        side.act { $0.say { $0.credit(1, limit: 300_000) } }
        #expect(list(side.writeAll()) == ["credit 1", "bytes 1 meta (5)"])
        let peer = try #require(try receive(2, side))
        #expect(try side.outbound.accept(.bytes(1), in: peer))
        side.outbound.control.credit(2, limit: 300_000)
        side.outbound.control.credit(1, limit: 400_000)
        #expect(list(side.writeAll()) == ["credit 1", "credit 2", "bytes 2 (1)"])
    }

    // MARK: Before the hello

    @Test("before the peer's hello no message above 65,536 bytes goes, and the order is kept")
    func longBeforeHello() throws {
        let side = side(nil)
        for count in [1, 65_536, 65_537, 2] { try send(.bytes(count), side) }
        #expect(list(side.writeAll()) == ["bytes (1)", "bytes (65536)"])
        #expect(side.outbound.awaitsPeer)
        side.act { $0.peerAnnounced(Hello.Limits(message: 1 << 20, window: 262_144, ids: 0)).action }
        #expect(list(side.writeAll()) == ["bytes (65537)", "bytes (2)"])
    }

    @Test("before the peer's hello no more goes than the smallest window")
    func windowBeforeHello() throws {
        let side = side(nil)
        for _ in 0..<6 { try send(.bytes(60_000), side) }
        #expect(list(side.writeAll()).count == 5)
        side.act { $0.peerAnnounced(Hello.Limits(message: 1 << 20, window: 1 << 20, ids: 0)).action }
        #expect(list(side.writeAll()).count == 1)
    }

    @Test("what is too long for the peer is thrown away when its hello comes, wherever it stands")
    func tooLong() throws {
        let side = side(nil)
        for count in [65_537, 70_000, 65_538, 70_001, 3] { try send(.bytes(count), side) }
        _ = try open(.opening(70_000), side)
        let second = try open(.opening(4, .open), side)
        #expect(try side.outbound.accept(.bytes(70_002), in: second))
        _ = try open(.opening(5), side)
        #expect(side.wait(1) == .wait)
        let refused = side.outbound.peerAnnounced(Hello.Limits(message: 69_999, window: 1 << 20, ids: 4)).refused
        #expect(refused == [70_000, 70_001, 70_000, 70_002])
        side.act { $0.nextAction() }
        #expect(side.takeLog() == ["own 1: abandoned", "own 2: abandoned"])
        #expect(list(side.writeAll()) == ["bytes (65537)", "bytes 1 meta (9)", "bytes (65538)", "bytes (3)"])
        #expect(side.outbound.queuedCount == 0 && side.finishedWaiters == [1])
    }

    // MARK: Giving up

    @Test("a cancel comes behind what has been cut of the conversation, and what has not is thrown away")
    func cancelling() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 1 << 30, ids: 8))
        let key = try open(.opening(600_000), side)
        var bytes = side.write(atMost: 1000) ?? []
        side.cancel(key)
        #expect(try !side.outbound.accept(.bytes(1), in: key))
        side.act { $0.socketBecameWritable() }
        bytes += side.writeAll()
        #expect(list(bytes) == ["bytes 1 more meta (262144)", "cancel 1"])
        #expect(side.outbound.queuedCount == 0)
        side.cancel(key)
        #expect(side.writeAll() == [])
    }

    @Test("where the peer cancels or fails, what is queued for it is thrown away")
    func cancelledByPeer() throws {
        for event in [ConversationEvent.cancelled, .failed([])] {
            let side = side(Hello.Limits(message: 1 << 20, window: 1 << 30, ids: 8))
            let key = try open(.opening(600_000), side)
            #expect(side.wait(1) == .wait)
            _ = side.write(atMost: 262_160)
            _ = side.outbound.finish(.byThisSide)
            #expect(side.act { $0.received(event, in: key) } == .write)
            #expect(side.finishedWaiters == [1])
            #expect(list(side.writeAll()) == ["end"])
        }
    }

    // MARK: The end

    @Test("the end of id 0 comes after all data, and only when nothing is owed")
    func end() throws {
        let side = side()
        let own = try open(.opening(300_000, .open), side)
        let peer = try #require(try receive(2, side))
        try send(.bytes(300_000), side)
        #expect(side.act { $0.finish(.byThisSide) } == .write)
        var written = list(side.writeAll())
        #expect(written.count == 2 && side.outbound.state == .finishing(.byThisSide))
        side.act { $0.credited(1, limit: 1 << 20, highestID: 0) }
        side.act { $0.credited(0, limit: 1 << 20, highestID: 0) }
        written += list(side.writeAll())
        #expect(Set(written.suffix(2)) == ["bytes 1 open (37860)", "bytes (37856)"])
        #expect(throws: OutboundQueue.AcceptError.closed(.byThisSide)) { try send(.bytes(1), side) }
        #expect(throws: OutboundQueue.AcceptError.closed(.byThisSide)) { _ = try open(.opening(1), side) }
        #expect(try side.outbound.accept(.bytes(1), in: peer))
        #expect(list(side.writeAll()) == ["bytes 2 (1)"])
        #expect(try side.outbound.accept(.end, in: own))
        #expect(list(side.writeAll()) == ["end 1", "end"])
        #expect(side.outbound.state == .ended(.byThisSide) && side.outbound.isEnded)
    }

    @Test("a message of no bytes that waits for credit is not overtaken by the end")
    func endBehindEmpty() throws {
        let side = side()
        try send(.bytes(262_144), side)
        try send(.bytes(0), side)
        side.act { $0.finish(.byThisSide) }
        #expect(side.wait(1) == .wait)
        #expect(list(side.writeAll()) == ["bytes (262144)"])
        side.act { $0.credited(0, limit: 1 << 20, highestID: 0) }
        #expect(list(side.writeAll()) == ["bytes (0)", "end"])
        #expect(side.finishedWaiters == [1])
    }

    @Test("control frames and cancels go on after the end")
    func controlAfterEnd() throws {
        let side = side()
        let key = try open(.opening(1), side)
        side.act { $0.finish(.byThisSide) }
        #expect(list(side.writeAll()) == ["bytes 1 meta (5)", "end"])
        side.act { $0.say { $0.pong(1) } }
        side.act { $0.say { $0.credit(1, limit: 1 << 20) } }
        side.cancel(key)
        #expect(list(side.writeAll()) == ["pong", "cancel 1"])
        #expect(side.outbound.state == .ended(.byThisSide))
    }

    @Test("what the peer opens while it has not read the end is over at once, and nothing is said of it")
    func openedAfterEnd() throws {
        for isWritten in [false, true] {
            let side = side()
            side.act { $0.finish(.byThisSide) }
            var bytes = isWritten ? side.writeAll() : []
            let (verdict, key) = try side.outbound.receive(
                FrameHeader(kind: .message, flags: .meta, id: 2, bodyCount: 0))
            #expect(verdict == .late && key == nil)
            #expect(side.outbound.conversations.count == 0)
            side.cancel(.peer(2))
            bytes += side.writeAll()
            #expect(list(bytes) == ["end"])
        }
    }

    // MARK: Abort

    @Test("an abort leaves only the frame that has been begun, at every byte of a batch")
    func abort() throws {
        let total = Frame.bytes(5).count + Frame.bytes(0).count + Frame.bytes(9).count
        for (written, isOut) in (0...total).flatMap({ [($0, false), ($0, true)] }) {
            let side = side()
            for count in [5, 0, 9] { try send(.bytes(count), side) }
            var bytes: [UInt8] = []
            let abort = try Abort(message: "x").frame()
            if isOut, let batch = side.outbound.takeBatch() {
                // While the batch is out.
                side.act { $0.abort(with: abort, .protocolViolation).action }
                bytes = batch.bytes(atMost: written)
                side.act { $0.wrote(written, of: batch, isBlocked: written < total).action }
            } else {
                bytes = written > 0 ? side.write(atMost: written) ?? [] : []
                side.act { $0.abort(with: abort, .protocolViolation).action }
            }
            side.act { $0.socketBecameWritable() }
            // A byte at a time: what is left after each write must not be taken for the first time.
            while let more = side.write(atMost: 1) {
                bytes += more
                side.act { $0.socketBecameWritable() }
            }
            let whole = written == 0 ? 0 : written <= 21 ? 1 : written <= 37 ? 2 : 3
            #expect(list(bytes) == ["bytes (5)", "bytes (0)", "bytes (9)"].prefix(whole) + ["abort"], "\(written)")
            #expect(side.outbound.lostCount == 3 - whole, "\(written) \(isOut)")
            #expect(side.outbound.state == .failed(.protocolViolation))
        }
    }

    @Test("an abort in the middle of a long message ends its frame, and no more")
    func abortInLongMessage() throws {
        for written in [0, 1, 15, 16, 17, 262_159, 262_160, 262_161, 262_200, 300_032] {
            let side = side(Hello.Limits(message: 1 << 20, window: 1 << 20, ids: 8))
            try send(.bytes(300_000), side)
            var bytes = written > 0 ? side.write(atMost: written) ?? [] : []
            if written > 262_160, bytes.count < written {
                side.act { $0.socketBecameWritable() }
                bytes += side.write(atMost: written - bytes.count) ?? []
            }
            side.act { $0.abort(with: (try? Abort(message: "x").frame()) ?? [], .protocolViolation).action }
            side.act { $0.socketBecameWritable() }
            while let more = side.write(atMost: 50_000) {
                bytes += more
                side.act { $0.socketBecameWritable() }
            }
            let frames = written == 0 ? 0 : written <= 262_160 ? 1 : 2
            #expect(
                list(bytes) == ["bytes more (262144)", "bytes (37856)"].prefix(frames) + ["abort"], "\(written)")
            #expect(side.outbound.lostCount == (frames == 2 ? 0 : 1), "\(written)")
        }
    }

    @Test("an abort comes after the hello, at every byte of it")
    func abortInHello() throws {
        let abort = try Abort(message: "x").frame()
        // Where it has been taken out to be written, and where not yet.
        for written in [nil] + (0...ValueSide.hello(ChannelLimits()).count).map(Optional.some) {
            let side = ValueSide()
            try send(.bytes(3), side)
            var bytes = written.flatMap { side.write(atMost: $0) } ?? []
            side.act { $0.abort(with: abort, .protocolViolation).action }
            side.act { $0.socketBecameWritable() }
            while let more = side.write(atMost: 7) {
                bytes += more
                side.act { $0.socketBecameWritable() }
            }
            #expect(Frame.list(bytes) == ["hello", "abort"])
        }
    }

    @Test("an abort may follow the end")
    func abortAfterEnd() throws {
        let side = side()
        side.act { $0.finish(.byThisSide) }
        #expect(list(side.writeAll()) == ["end"])
        side.act { $0.abort(with: (try? Abort(message: "x").frame()) ?? [], .protocolViolation).action }
        #expect(list(side.writeAll()) == ["abort"])
    }

    // MARK: Waiting

    @Test("who waits is told exactly when what was accepted before is written")
    func waiting() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 1 << 30, ids: 8))
        _ = try open(.opening(300_000), side)
        try send(.bytes(10), side)
        #expect(side.wait(1) == .wait)
        try send(.bytes(300_000), side)
        #expect(side.wait(2) == .wait)
        // In the order of the small message, the first frames, the second ones.
        let sizes = [26, 262_160, 262_160, 37_876, 37_872]
        for (index, size) in sizes.enumerated() {
            for count in [size - 1, 1] {
                #expect(side.finishedWaiters == [[], [], [], [], [1], []][index])
                _ = side.write(atMost: count)
                side.act { $0.socketBecameWritable() }
            }
        }
        #expect(side.finishedWaiters == [1, 2])
        #expect(side.wait(3) == .finished)
    }

    @Test("who waits for a conversation that is given up waits no longer")
    func waitingForCancelled() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 262_144, ids: 0))
        let key = try open(.opening(300), side)
        #expect(side.wait(1) == .wait)
        side.cancel(key)
        #expect(side.finishedWaiters == [1])
    }

    @Test("where writing fails those who wait are given out, and what was not written is counted once")
    func failing() throws {
        let side = side(Hello.Limits(message: 1 << 20, window: 262_144, ids: 1))
        let first = try open(.opening(300_000), side)
        let second = try open(.opening(1), side)
        for count in [1, 300_000, 2] { try send(.bytes(count), side) }
        #expect(side.wait(1) == .wait)
        let batch = try takeBatch(side)
        side.failWriting(.byPeer)
        side.act { $0.wrote(18, of: batch, isBlocked: true).action }
        #expect(side.failedWaiters == [1] && side.outbound.queuedCount == 0)
        #expect(side.outbound.lostCount == 4 || side.outbound.lostCount == 5)
        // The one without an id is over; of the other the peer may still say something.
        #expect(side.takeLog() == ["\(second.text): abandoned"])
        #expect(side.outbound.conversations.key(of: 1) == first)
        #expect(side.outbound.peerEnded() == [first])
    }

    // MARK: Handles that are refused

    @Test("a conversation whose handles can't be sent is cancelled, opened by nothing where it is new")
    func refusedHandles() throws {
        let handles = OutboundHandles(DescriptorList())
        let opening = side(Hello.Limits(message: 1 << 20, window: 1 << 30, ids: 8))
        _ = try open(.opening(300_000, [], handles), opening)
        try send(.bytes(1), opening)
        var batch = try takeBatch(opening)
        if batch.first.handles == nil {
            #expect(opening.outbound.wrote(batch.count, of: batch, isBlocked: false).action == .write)
            batch = try takeBatch(opening)
        }
        opening.act { $0.refused(batch).action }
        #expect(opening.takeLog() == ["own 1: abandoned"])
        #expect(list(opening.writeAll()) == ["bytes 1 meta (4)", "cancel 1"])
        #expect(opening.outbound.queuedCount == 0 && opening.outbound.lostCount == 1)

        let answering = side()
        let key = try #require(try receive(2, answering, [.meta, .open]))
        #expect(try answering.outbound.accept(.bytes(3, .open, handles), in: key))
        #expect(try answering.outbound.accept(.bytes(4), in: key))
        batch = try takeBatch(answering)
        answering.act { $0.refused(batch).action }
        #expect(answering.takeLog() == ["id 2: abandoned"])
        #expect(list(answering.writeAll()) == ["cancel 2"])
        #expect(answering.outbound.queuedCount == 0 && answering.outbound.lostCount == 2)
    }
}

extension ValueSide {
    /// All that is still to be written, but for the rest of the frame that has been begun.
    fileprivate func writeAllAfterBody() -> [UInt8] {
        let rest = outbound.ready.first?.count ?? 0
        return Array(writeAll().dropFirst(rest))
    }
}
