import JSONCodec
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging
@testable import Reactor

@Suite("Channel")
struct ChannelTests {
    private static func text(_ count: Int) -> String { String(repeating: "0123456789abcde\n", count: count / 16) }

    // MARK: Messages

    @Test("messages arrive in the order they were sent, both ways")
    func order() async throws {
        let (one, two) = try End.pair()
        for number in 0..<1000 {
            try one.channel.send(number)
            try two.channel.send(["number": number])
        }
        #expect(try await two.messages(1000) == (0..<1000).map { .json(.integer($0)) })
        #expect(try await one.messages(1000) == (0..<1000).map { .json(["number": .integer($0)]) })
    }

    @Test("a small buffer cuts messages of every size, and none is changed", arguments: [false, true])
    func smallBuffer(_ isOnLoop: Bool) async throws {
        let (one, two) = try End.pair(bufferSize: 1)
        let sizes = [0, 1, 100, 5000, 16_384, 16_385, 70_000, 262_144, 262_145, 524_288, 1_000_000, 3]
        let bodies = sizes.map { size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) } }
        if isOnLoop {
            one.onLoop { channel in for body in bodies { _ = try? channel.send(bytes: body) } }
        } else {
            for body in bodies { try one.channel.send(bytes: body) }
        }
        #expect(try await two.messages(sizes.count) == bodies.map { .bytes($0) })
    }

    @Test("messages of five megabytes cross each other")
    func large() async throws {
        let (one, two) = try End.pair()
        let text = Self.text(5_000_000)
        let bytes = [UInt8](repeating: 0xa5, count: 5_000_000)
        for end in [one, two] {
            try end.channel.send(text)
            try end.channel.send(bytes: bytes)
            try end.channel.send("small")
        }
        for end in [one, two] {
            #expect(try await end.messages(3) == [.json(.string(text)), .bytes(bytes), .json("small")])
        }
    }

    @Test("threads that send at once each keep their order, through a small buffer, and nothing is lost")
    func threads() async throws {
        let (one, two) = try End.pair(bufferSize: 1)
        for thread in 0..<4 {
            try Thread.start(name: "sender") {
                for number in 0..<500 { _ = try? one.channel.send([thread, number]) }
            }
        }
        let messages = try await two.messages(2000)
        for thread in 0..<4 {
            let numbers = messages.filter { $0.json?[0]?.integerValue == thread }.map { $0.json?[1]?.integerValue }
            #expect(numbers == Array(0..<500))
        }
    }

    @Test(
        "the first messages that are sent on the loop leave at once, and a burst leaves together at the end of the turn"
    )
    func gathering() async throws {
        let (one, two) = try End.facingSocket()
        _ = try await two.readFrame()
        let available = Journal<Int>()
        one.onLoop { channel in
            channel.outbound.withLock {
                $0.burst = BurstDetector(times: .init(gapOutside: .max, gapInHandler: .max, longestWait: .max))
            }
            for number in 0..<20 {
                _ = try? channel.send(number)
                available.append(two.bytesAvailable)
            }
        }
        let first = BurstDetector.writtenAtOnce
        let counts = try await available.wait(forCount: 20)
        #expect(counts == (0..<20).map { (min($0 + 1, first)) * (FrameHeader.size + 1) })
        for number in 0..<20 {
            #expect(try await two.readFrame().body == Array("\(number)".utf8))
        }
    }

    @Test("a value that can't be encoded is refused, and the next one is sent")
    func notEncodable() async throws {
        let (one, two) = try End.pair()
        #expect(failure { try one.channel.send(Double.nan) } == "notEncodable")
        try one.channel.send("good")
        #expect(try await two.messages(1) == [.json("good")])
    }

    // MARK: Limits

    @Test("a message longer than the peer takes is refused here, once its hello has come")
    func peerLimit() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 70_000)
        two.writeAll(frame(.message, "1".utf8))
        _ = try await one.messages(1)
        #expect(failure { try one.channel.send(bytes: [UInt8](repeating: 0, count: 70_001)) } == "tooLong 70001 70000")
        #expect(failure { try one.channel.send(Self.text(80_000)) }?.hasPrefix("tooLong") == true)
        try one.channel.send(bytes: [UInt8](repeating: 0, count: 70_000))
        _ = try await two.readFrame()
        #expect(try await two.readFrame().body.count == 70_000)
    }

    @Test("before the peer's hello its limit is taken to be this side's own")
    func assumedLimit() throws {
        let (one, _two) = try End.facingSocket(limits: ChannelLimits(messageLimit: 80_000))
        #expect(failure { try one.channel.send(bytes: [UInt8](repeating: 0, count: 80_001)) } == "tooLong 80001 80000")
        try one.channel.send(bytes: [UInt8](repeating: 0, count: 80_000))
        withExtendedLifetime(_two) {}
    }

    @Test("what is over the floor waits for the peer's hello, and so does all that comes after it")
    func beforeHello() async throws {
        let (one, two) = try End.facingSocket()
        try one.channel.send(1)
        try one.channel.send(bytes: [UInt8](repeating: 9, count: 65_537))
        try one.channel.send(2)
        _ = try await two.readFrame()
        #expect(try await two.readFrame().body == Array("1".utf8))
        try await stays(for: .milliseconds(50)) { two.bytesAvailable }
        #expect(two.bytesAvailable == 0)
        try two.writeHello()
        #expect(try await two.readFrame().body.count == 65_537)
        #expect(try await two.readFrame().body == Array("2".utf8))
    }

    @Test("before the peer's hello no more is written than every peer has room for")
    func floorOfCredit() async throws {
        let (one, two) = try End.facingSocket()
        for _ in 0..<10 { try one.channel.send(bytes: [UInt8](repeating: 9, count: 60_000)) }
        _ = try await two.readFrame()
        for _ in 0..<5 { #expect(try await two.readFrame().body.count == 60_000) }
        try await stays(for: .milliseconds(50)) { two.bytesAvailable }
        #expect(two.bytesAvailable == 0)
        try two.writeHello()
        for _ in 0..<5 { #expect(try await two.readFrame().body.count == 60_000) }
    }

    @Test("a message that the peer's hello turns out not to allow is told of, and the others arrive")
    func tooLongAfterAll() async throws {
        let (one, two) = try End.facingSocket()
        try one.channel.send(bytes: [UInt8](repeating: 9, count: 70_000))
        try one.channel.send(2)
        try two.writeHello(messageLimit: 65_536)
        #expect(try await one.journal.wait(forCount: 1) == [.failed("tooLong 70000 65536")])
        #expect(one.channel.lostMessageCount == 1)
        _ = try await two.readFrame()
        #expect(try await two.readFrame().body == Array("2".utf8))
    }

    @Test("a queue that is full refuses, and what it refused is not sent")
    func queueLimit() async throws {
        let limits = ChannelLimits(highWaterMark: 100_000, queueLimit: 2_000_000)
        let (one, two) = try End.pair(limits: limits, consumes: false)
        try await one.helloHasCome()
        var accepted = 15
        for number in 0..<accepted { try one.channel.send(bytes: [UInt8](repeating: UInt8(number), count: 100_000)) }
        // From here on nothing is written: the peer has no consumer, and its window is used up.
        try await eventually("the window is used up") {
            one.channel.outbound.withLock { $0.queue.main.credit.limit >= 1 << 20 && $0.queue.awaitsPeer }
        }
        while failure({ try one.channel.send(bytes: [UInt8](repeating: UInt8(accepted & 255), count: 100_000)) }) == nil
        {
            accepted += 1
            try #require(accepted < 100)
        }
        #expect(failure { try one.channel.send(bytes: [UInt8](repeating: 1, count: 100_000)) } == "queueFull 100000")
        #expect(failure { try one.channel.send(Self.text(100_000)) }?.hasPrefix("queueFull") == true)
        two.consume(true)
        let messages = try await two.messages(accepted)
        try await within { try await one.channel.flush() }
        try one.channel.send("after")
        #expect(try await two.messages(accepted + 1) == messages + [.json("after")])
        for (number, message) in messages.enumerated() {
            #expect(message == .bytes([UInt8](repeating: UInt8(number & 255), count: 100_000)))
        }
    }

    @Test("a send says when the high-water mark is reached, and when it is not")
    func highWaterMark() async throws {
        let limits = ChannelLimits(highWaterMark: 1_000_000, queueLimit: 10_000_000)
        let (one, two) = try End.pair(limits: limits, consumes: false)
        #expect(try one.channel.send("small"))
        let isBelow = try one.channel.send(bytes: [UInt8](repeating: 0, count: 3_000_000))
        #expect(!isBelow)
        #expect(try !one.channel.send("small"))
        two.consume(true)
        try await within { try await one.channel.flush() }
        #expect(try one.channel.send("small"))
    }

    // MARK: Back-pressure

    @Test("while nobody consumes messages the sender has the window, and then waits; pings are answered")
    func noConsumer() async throws {
        let (one, two) = try End.pair(consumes: false)
        try await one.helloHasCome()
        for _ in 0..<200 { try one.channel.send(bytes: [UInt8](repeating: 9, count: 20_000)) }
        try await eventually("the window is used up") {
            one.channel.outbound.withLock { $0.queue.awaitsPeer && $0.queue.main.credit.offset >= 1 << 20 }
        }
        let queued = one.channel.outbound.withLock { $0.queue.queuedCount }
        #expect(queued >= 200 * 20_000 - (1 << 20) - 20_064)
        try await stays(for: .milliseconds(50)) { one.channel.outbound.withLock { $0.queue.queuedCount } }
        one.channel.ping(77)
        try await eventually("the pong comes") { one.pongs.entries == [77] }
        #expect(two.journal.entries.isEmpty)
        two.consume(true)
        #expect(try await two.messages(200).count == 200)
    }

    @Test("a paused channel delivers nothing until it has been resumed as often")
    func pause() async throws {
        let (one, two) = try End.pair()
        try two.channel.send("first")
        _ = try await one.messages(1)
        one.pause()
        one.pause()
        try await one.settle()
        for number in 0..<100 { try two.channel.send(number) }
        try await within { try await two.channel.flush() }
        one.resume()
        try await one.settle()
        try await stays(for: .milliseconds(50)) { one.journal.entries.count }
        one.resume()
        #expect(try await one.messages(101).dropFirst() == (0..<100).map { .json(.integer($0)) }[...])
    }

    @Test("a delegate that pauses at each message gets the next one when it resumes, each once and in order")
    func pausingDelegate() async throws {
        let (one, two) = try End.facingSocket { end, event in
            guard event.isMessage else { return }
            end.channel.pause()
            end.resume()
        }
        try two.writeHello()
        two.writeAll((0..<2000).flatMap { frame(.message, "\($0)".utf8) })
        #expect(try await one.messages(2000) == (0..<2000).map { .json(.integer($0)) })
    }

    @Test("a delegate may resume and register within a delivery, and nothing is doubled or out of order")
    func reentrantDelegate() async throws {
        let limits = ChannelLimits(window: Hello.Limits.endlessWindow)
        let (one, two) = try End.facingSocket(limits: limits, consumes: false) { end, event in
            guard event.isMessage else { return }
            end.channel.pause()
            end.channel.resume()
            end.channel.setConsumer(present: false)
            end.channel.setConsumer(present: true)
        }
        try two.writeHello()
        // More than the loop reads at once, so that there is more to read while the first portion is delivered.
        var written: Int64 = 0
        while written < 20_000 {
            let message = frame(.message, "\(10_000 + written)".utf8 + Array(repeating: 0x20, count: 500))
            if two.write(message) < message.count { break }
            written += 1
        }
        one.consume(true)
        #expect(try await one.messages(Int(written)) == (0..<written).map { .json(.integer(10_000 + $0)) })
    }

    // MARK: Flushing

    @Test("a flush returns once everything has left, however small the buffer")
    func flush() async throws {
        let (one, two) = try End.pair(bufferSize: 1)
        try await within { try await one.channel.flush() }
        for _ in 0..<20 { try one.channel.send(bytes: [UInt8](repeating: 3, count: 50_000)) }
        try await within { try await one.channel.flush() }
        #expect(one.channel.outbound.withLock { $0.queue.isEmpty })
        _ = try await two.messages(20)
    }

    @Test("a flush fails when the peer closes with bytes unwritten, and so does the next one")
    func failedFlush() async throws {
        let (one, two) = try End.facingSocket()
        try one.channel.send(bytes: [UInt8](repeating: 3, count: 3_000_000))
        async let outcome = laterFailure { try await within { try await one.channel.flush() } }
        two.close()
        #expect(await outcome == "closed byPeer")
        #expect(await laterFailure { try await one.channel.flush() } == "closed byPeer")
        #expect(failure { try one.channel.send("more") } == "closed byPeer")
    }

    @Test("a flush succeeds after the peer has closed when everything had left before")
    func flushAfterEnd() async throws {
        let (one, two) = try End.facingSocket()
        try one.channel.send("small")
        try await within { try await one.channel.flush() }
        two.close()
        _ = try await one.allEvents()
        try await within { try await one.channel.flush() }
    }

    @Test("a flush that is cancelled says so, before it begins and while it waits, and the others go on waiting")
    func cancelledFlush() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        try one.channel.send(bytes: [UInt8](repeating: 3, count: 3_000_000))
        let before = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await laterFailure { try await one.channel.flush() }
        }
        #expect(try await within { await before.value } == "CancellationError")
        let kept = Task { await laterFailure { try await one.channel.flush() } }
        let cancelled = Task { await laterFailure { try await one.channel.flush() } }
        try await eventually("both wait") { one.channel.outbound.withLock { $0.waiters.count } == 2 }
        cancelled.cancel()
        #expect(try await within { await cancelled.value } == "CancellationError")
        _ = try await two.read(3_000_100)
        #expect(try await within { await kept.value } == nil)
        #expect(one.channel.outbound.withLock { $0.waiters.isEmpty })
    }

    @Test("a flush that is cancelled at any moment ends, either way")
    func cancelledFlushRace() async throws {
        let (one, _two) = try End.pair(bufferSize: 1)
        for _ in 0..<200 {
            try one.channel.send(bytes: [UInt8](repeating: 3, count: 20_000))
            let flush = Task { await laterFailure { try await one.channel.flush() } }
            flush.cancel()
            let outcome = try await within { await flush.value }
            #expect(outcome == nil || outcome == "CancellationError")
        }
        try await within { try await one.channel.flush() }
        #expect(one.channel.outbound.withLock { $0.waiters.isEmpty })
        withExtendedLifetime(_two) {}
    }

    @Test("a flush on the calling thread writes everything")
    func blockingFlush() async throws {
        let (one, socket) = try End.facingSocket()
        let channel = one.channel
        try channel.send(bytes: [UInt8](repeating: 3, count: 2_000_000))
        let flushed = Journal<Bool>()
        try Thread.start(name: "flusher") {
            channel.flush(givingUpAfter: .seconds(55))
            flushed.append(channel.outbound.withLock { $0.queue.queuedCount == 0 })
        }
        try socket.writeHello(messageLimit: 4 << 20)
        _ = try await socket.readFrame()
        _ = try await socket.read(2_000_000 + 8 * FrameHeader.size)
        #expect(try await flushed.wait(forCount: 1) == [true])
    }

    /// What a peer that floods has got in each turn.
    private final class Shares: Sendable {
        let perTurn = Journal<Int>()
        private let count = Atomic<Int>(0)

        func tookOne() { count.add(1, ordering: .relaxed) }

        func measure(on loop: MessageLoop) {
            perTurn.append(count.exchange(0, ordering: .relaxed))
            if perTurn.entries.count < 100 { loop.execute { self.measure(on: loop) } }
        }
    }

    @Test("a peer that writes as fast as it is read gets the same share of every turn")
    func fairShare() async throws {
        let block = frame(.bytes, [UInt8](repeating: 0, count: 8184))
        let shares = Shares()
        let peer = Locked<PlainSocket?>(nil)
        let limits = ChannelLimits(window: Hello.Limits.endlessWindow)
        let (one, two) = try End.facingSocket(limits: limits) { _, _ in
            // So there is always more, and each write is an edge.
            peer.withLock { $0 }?.write(block)
            shares.tookOne()
        }
        defer { two.close() }
        peer.withLock { $0 = two }
        try two.writeHello()
        while two.write(block) == block.count {}
        one.onLoop { shares.measure(on: $0.loop) }
        let counts = try await shares.perTurn.wait(forCount: 100)
        // Eight reads of 64 KiB are 64 messages; the end of one turn's share and the next share can be counted
        // together, and the first count is of all that came before it.
        #expect(counts.dropFirst().max()! <= 128)
        #expect(counts.contains { $0 > 0 })
    }
}

extension Event {
    var json: JSON? {
        if case .json(let json) = self { json } else { nil }
    }

    var isViolation: Bool {
        if case .failed(let name) = self { name.hasPrefix("protocolViolation") } else { false }
    }
}
