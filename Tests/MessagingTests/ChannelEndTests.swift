import JSONCodec
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging
@testable import Reactor

@Suite("The end of a channel")
struct ChannelEndTests {
    // MARK: Graceful

    @Test("close delivers everything, both ways, and then the end")
    func close() async throws {
        let (one, two) = try End.pair(bufferSize: 1)
        for number in 0..<300 {
            try one.channel.send([number])
            try two.channel.send(bytes: [UInt8](repeating: UInt8(number & 255), count: 2000))
        }
        one.channel.close()
        #expect(failure { try one.channel.send("late") } == "closed byThisSide")
        let atTwo = try await two.allEvents()
        let atOne = try await one.allEvents()
        #expect(atTwo == (0..<300).map { .json([.integer($0)]) } + [.delivered])
        #expect(atOne.dropLast() == (0..<300).map { .bytes([UInt8](repeating: UInt8($0 & 255), count: 2000)) }[...])
        #expect(atOne.last == .delivered)
        #expect(failure { try two.channel.send("late") } == "closed byPeer")
        try await eventually("both sockets close") { one.channel.isClosed && two.channel.isClosed }
        one.channel.close()
        two.channel.close()
    }

    @Test("a thread that serves until the channel is closed hears of that also where a writer closes it")
    func closedByWriter() async throws {
        let (one, two) = try End.facingSocket()
        let channel = one.channel
        // A write that is under way when the channel fails.
        let batch = channel.outbound.withLock { outbound in
            let message = OutboundMessage(kind: .message, bytes: frame(.message, "1".utf8))
            _ = try? outbound.queue.accept(message)
            return outbound.queue.takeBatch()
        }
        let (asked, served) = (Journal<Bool>(), Journal<Bool>())
        try Thread.start(name: "server") {
            let hasServed = channel.loop.drive {
                asked.append(true)
                return channel.isClosed
            }
            served.append(hasServed)
        }
        try await asked.wait(forCount: 1)
        two.close()
        #expect(try await one.allEvents().last == .delivered)
        try await one.settle()
        #expect(!channel.isClosed)
        let written = try #require(batch)
        channel.outbound.withLock { outbound in
            let (action, _) = outbound.queue.wrote(0, of: written, isBlocked: false)
            channel.perform(action, &outbound)
        }
        #expect(try await served.wait(forCount: 1) == [true])
    }

    @Test("both sides may close at once")
    func bothClose() async throws {
        for _ in 0..<50 {
            let (one, two) = try End.pair()
            try one.channel.send("from one")
            try two.channel.send("from two")
            one.channel.close()
            two.channel.close()
            #expect(try await two.allEvents() == [.json("from one"), .delivered])
            #expect(try await one.allEvents() == [.json("from two"), .delivered])
        }
    }

    @Test("the last thing on the wire after close is the last message, and then the end; control frames go on")
    func halfClose() async throws {
        let (one, two) = try End.facingSocket()
        try one.channel.send("last")
        one.channel.close()
        _ = try await two.readFrame()
        #expect(try await two.readFrame().body == Array("\"last\"".utf8))
        #expect(try await two.readFrame().kind == FrameKind.end.rawValue)
        // The other direction is still open, and so is this one for what answers it.
        try two.writeHello()
        let ping = [UInt8](repeating: 3, count: 8)
        two.writeAll(frame(.message, "1".utf8) + frame(.ping, ping))
        let pong = try await two.readFrame()
        #expect(pong.kind == FrameKind.pong.rawValue && pong.body == ping)
        two.writeAll(frame(.end, []))
        #expect(try await one.allEvents() == [.json(1), .delivered])
        #expect(try await two.readToEnd() == [])
    }

    @Test("the end of the stream without an end is the end of the peer, and what is queued for it is lost")
    func suddenEnd() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello()
        two.writeAll(frame(.message, "1".utf8))
        two.shutdownWriting()
        #expect(try await one.allEvents() == [.json(1), .delivered])
        #expect(failure { try one.channel.send("late") } == "closed byPeer")
        try await eventually("the socket closes") { one.channel.isClosed }
    }

    @Test("nothing is said after an abort, and one that comes is not answered")
    func abortIsLast() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello()
        two.writeAll(try Abort(code: "tired", message: "enough").frame() + frame(.message, "1".utf8))
        #expect(try await one.allEvents() == [.failed("aborted tired: enough"), .delivered])
        _ = try await two.readFrame()
        #expect(try await two.readToEnd() == [])
        try await eventually("the socket closes") { one.channel.isClosed }
    }

    @Test("an abort finds its place between two frames, also where one has been written in part")
    func abortBetweenFrames() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        try one.channel.send(bytes: [UInt8](repeating: 5, count: 2_000_000))
        let stream = try two.startReading()
        two.writeAll([0, 0, 0, 0])
        let frames = Frame.list(try await stream.wait(forCount: 1)[0])
        #expect(frames.first == "hello" && frames.last == "abort")
        let others = frames.dropFirst().dropLast()
        #expect(others.allSatisfy { $0 == "bytes more (\(FrameHeader.largestBody))" || $0 == "credit" }, "\(frames)")
    }

    @Test("what a peer wrote before it ended is delivered, also where it left something of ours unread")
    func resetPeer() async throws {
        let (one, two) = try End.facingSocket()
        try one.channel.send(bytes: [UInt8](repeating: 1, count: 100_000))
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(frame(.message, "1".utf8) + frame(.message, "2".utf8))
        two.close()
        #expect(try await one.allEvents() == [.json(1), .json(2), .delivered])
        try await eventually("the socket closes") { one.channel.isClosed }
    }

    @Test("the end of a peer that nobody listened to is told at once, and its messages to whoever comes then")
    func lateConsumer() async throws {
        let (one, two) = try End.facingSocket(consumes: false)
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(frame(.message, "1".utf8))
        two.close()
        try await one.journal.wait(forCount: 1)
        #expect(one.journal.entries == [.exhausted])
        one.consume(true)
        #expect(try await one.allEvents() == [.json(1), .delivered])
    }

    @Test("the end is told once a paused channel has been resumed, after its messages")
    func pausedEnd() async throws {
        let (one, two) = try End.facingSocket { end, event in if event.isMessage { end.channel.pause() } }
        try two.writeHello(messageLimit: 4 << 20)
        for number in 0..<3 { two.writeAll(frame(.message, "\(number)".utf8)) }
        two.close()
        for count in 1...3 {
            #expect(try await one.messages(count).last == .json(.integer(Int64(count - 1))))
            #expect(one.journal.entries.count(where: \.isMessage) == count)
            #expect(!one.journal.entries.contains(.delivered))
            one.resume()
        }
        #expect(try await one.allEvents().last == .delivered)
    }

    @Test("a process that has ended ends its channel, even where another holds its end of the socket")
    func endedProcess() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(frame(.message, "1".utf8))
        one.onLoop { $0.peerProcessEnded() }
        #expect(try await one.allEvents() == [.json(1), .delivered])
        #expect(failure { try one.channel.send("late") } == "closed peerEnded")
        try await eventually("the socket closes") { one.channel.isClosed }
    }

    @Test("a peer that is gone before the channel is made is heard to the end")
    func goneBefore() async throws {
        let one = try System.socketPair().split { ours, theirs in
            let two = PlainSocket(theirs.take())
            try two.writeHello(messageLimit: 4 << 20)
            two.writeAll(frame(.message, "1".utf8))
            two.close()
            return try End.open(ours)
        }
        #expect(try await one.allEvents() == [.json(1), .delivered])
        try await eventually("the socket closes") { one.channel.isClosed }
    }

    @Test("a hello that finds the socket full is sent when there is room")
    func fullSocket() async throws {
        let (one, two, filled) = try System.socketPair().split { ours, theirs in
            let filler = PlainSocket(try System.duplicate(ours.rawValue, atLeast: 0))
            var filled = 0
            while true {
                let count = filler.write([UInt8](repeating: 0, count: 4096))
                if count == 0 { break }
                filled += count
            }
            while filler.write([0]) == 1 { filled += 1 }
            return (try End.open(ours), PlainSocket(theirs.take()), filled)
        }
        try one.channel.send("first")
        _ = try await two.read(filled)
        #expect(try await two.readFrame().kind == FrameKind.hello.rawValue)
        #expect(try await two.readFrame().body == Array("\"first\"".utf8))
    }

    // MARK: Cut off

    @Test("a peer that ends at any byte gives what was whole before it, and an error where it ended inside a frame")
    func everyOffset() async throws {
        let parts = [
            try helloFrame(), frame(.message, "[1]".utf8), frame(.bytes, [1, 2], flags: .more), frame(.bytes, [3]),
        ]
        let stream = Array(parts.joined())
        let boundaries = parts.indices.map { parts[...$0].joined().count }
        for offset in 0...stream.count {
            let (one, two) = try End.facingSocket()
            two.writeAll(stream[..<offset])
            two.close()
            var wanted: [Event] = []
            if offset >= boundaries[1] { wanted.append(.json([1])) }
            if offset >= boundaries[3] { wanted.append(.bytes([1, 2, 3])) }
            // The third boundary lies between two fragments of a message.
            if ![0, boundaries[0], boundaries[1], boundaries[3]].contains(offset) {
                wanted.append(.failed("protocolViolation \(WireError.truncated)"))
            }
            #expect(try await one.allEvents() == wanted + [.delivered], "offset \(offset)")
        }
    }

    // MARK: Mistakes

    @Test(
        "a broken frame is one error, and the channel closes with an abort that says why",
        arguments: [
            (Array("GET / HTTP/1.1\r\n\r\n".utf8), WireError.frameTooLong(0x4745_5420)),
            (frame(.message, []), .noHello(.message)), ([0, 0, 0, 2], .lengthTooSmall(2)),
        ])
    func garbage(_ bytes: [UInt8], _ error: WireError) async throws {
        let (one, two) = try End.facingSocket()
        two.writeAll(bytes + [1, 2, 3, 4, 5, 6, 7, 8])
        let events = try await one.allEvents()
        #expect(events == [.failed("protocolViolation \(error)"), .delivered])
        #expect(try await two.readFrame().kind == FrameKind.hello.rawValue)
        let abort = try await two.readFrame()
        #expect(abort.kind == FrameKind.abort.rawValue)
        #expect(abort.body.withUnsafeBytes { Abort(body: $0) } == Abort(message: error.description))
        #expect(try await two.readToEnd() == [])
        #expect(failure { try one.channel.send("late") } == "closed protocolViolation")
        try await eventually("the socket closes") { one.channel.isClosed }
    }

    @Test("messages before a broken frame are delivered, and those after it are not")
    func messagesAroundGarbage() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(
            frame(.message, "1".utf8) + [0, 0, 0, 12, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + frame(.message, "2".utf8)
        )
        let wanted: [Event] = [.json(1), .failed("protocolViolation \(WireError.unknownKind(0x77))"), .delivered]
        #expect(try await one.allEvents() == wanted)
    }

    @Test("descriptors that are announced and do not come are an error")
    func announcedDescriptors() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(frame(.message, "1".utf8, handleCount: 1))
        let error = WireError.handlesDoNotMatch(announced: 1, received: 0)
        #expect(try await one.allEvents() == [.failed("protocolViolation \(error)"), .delivered])
    }

    @Test("a hello of another major version is an error that names both")
    func otherVersion() async throws {
        let (one, two) = try End.facingSocket()
        two.writeAll(frame(.hello, #"{"version":{"major":2,"minor":0}}"#.utf8))
        #expect(try await one.allEvents().first == .failed("protocolViolation \(WireError.unsupportedVersion(2))"))
        #expect(WireError.unsupportedVersion(2).description.contains("version 2"))
    }

    @Test("a message that can't be read is one error, and the next one is delivered")
    func badPayloads() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        let deep = String(repeating: "[", count: 513) + String(repeating: "]", count: 513)
        let bad: [([UInt8], String)] = [
            (Array("{".utf8), "syntax"), ([], "syntax"), ([0x22, 0xff, 0x22], "invalidUTF8"),
            (Array(deep.utf8), "tooDeep"),
            (Array(#"{"a":1,"a":2}"#.utf8), "duplicateKey"), (Array("1e999".utf8), "numberOutOfRange"),
            (Array(#""\ud800""#.utf8), "loneSurrogate"),
        ]
        for (body, _) in bad { two.writeAll(frame(.message, body) + frame(.message, "1".utf8)) }
        two.close()
        let wanted = bad.flatMap { [Event.failed("badPayload \($0.1)"), .json(1)] }
        #expect(try await one.allEvents() == wanted + [.delivered])
    }

    @Test("a channel that its peer has given up says why")
    func abort() async throws {
        let (one, two) = try End.facingSocket()
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(try Abort(code: "", message: "it was enough").frame())
        two.close()
        #expect(try await one.allEvents() == [.failed("aborted : it was enough"), .delivered])
    }

    @Test("of two channels the one whose peer misbehaves hears of it, and the other goes on")
    func siblings() async throws {
        let (one, two) = try End.facingSocket()
        let (other, third) = try End.pair()
        two.writeAll([UInt8](repeating: 0xff, count: 100))
        try third.channel.send("unharmed")
        #expect(try await other.messages(1) == [.json("unharmed")])
        #expect(try await one.allEvents().count == 2)
        #expect(other.channel.closing == nil)
    }

    // MARK: What is left

    @Test("a channel that is given up before it is used closes its socket")
    func discard() async throws {
        let (one, two) = try End.facingSocket(consumes: false)
        one.channel.discard()
        _ = try await two.readToEnd()
        #expect(one.channel.isClosed)
        #expect(failure { try one.channel.send("late") } == "closed byThisSide")
    }

    @Test("senders that race with the end of the channel get an answer each, and none is harmed")
    func sendersAtTheEnd() async throws {
        for round in 0..<40 {
            let (one, two) = try End.pair(bufferSize: 1)
            let finished = Journal<Bool>()
            for thread in 0..<3 {
                try Thread.start(name: "sender") {
                    for number in 0..<300 { _ = try? one.channel.send([thread, number]) }
                    finished.append(true)
                }
            }
            if round.isMultiple(of: 2) { two.channel.close() } else { two.onLoop { _ in two.channel.discard() } }
            try await finished.wait(forCount: 3)
            if round.isMultiple(of: 2) {
                _ = try await one.allEvents()
                try await eventually("both sockets close") { one.channel.isClosed && two.channel.isClosed }
            }
        }
    }

    @Test("whatever way channels end, no descriptor and no channel is left")
    func nothingLeft() async {
        await #expect(processExitsWith: .success) {
            let before = try await ThisProcess.settledDescriptors()
            for way in 0..<6 {
                weak var remembered: Channel?
                func use() async throws {
                    let (one, two) = try End.pair()
                    remembered = one.channel
                    try one.channel.send(String(repeating: "x", count: 300_000))
                    try two.channel.send(bytes: [1])
                    switch way {
                    case 0: one.channel.close()
                    case 1: two.channel.close()
                    case 2: one.onLoop { $0.peerProcessEnded() }
                    case 3:
                        let intruder = PlainSocket(try System.duplicate(two.channel.descriptor, atLeast: 0))
                        intruder.writeAll([0, 0, 0, 0])
                    case 4: one.onLoop { $0.discard() }
                    default:
                        one.channel.close()
                        two.channel.close()
                    }
                    if way != 4 { _ = try await two.allEvents() }
                    if way == 2 { two.channel.close() }
                    try await eventually("the sockets close, way \(way)") {
                        one.channel.isClosed && (two.channel.isClosed || way == 4)
                    }
                    if way == 4 { two.channel.discard() }
                }
                try await use()
                try await eventually("the loops end, way \(way)") { !ThisProcess.threadNames.contains("test-end") }
                // A task that ends refers to what it used until it has ended.
                try await eventually("the channel goes, way \(way)") { remembered == nil }
                try await eventually("the descriptors go, way \(way)") { ThisProcess.descriptors == before }
            }
        }
    }

    @Test("flushing after the peer has broken the protocol does not wait")
    func flushAfterViolation() async throws {
        let (one, two) = try End.facingSocket()
        two.writeAll(frame(.message, "no hello".utf8))
        #expect(try await one.allEvents().last == .delivered)
        try await within { try await one.channel.flush() }
    }

    @Test("descriptors that nobody announced are an error, after the messages that came with them")
    func strayDescriptors() async throws {
        let (one, two) = try End.facingSocket(consumes: false)
        try two.writeHello(messageLimit: 4 << 20)
        two.writeAll(frame(.message, "1".utf8))
        two.write(frame(.message, "2".utf8), handles: [two.rawValue])
        two.writeAll(frame(.message, "3".utf8))
        one.consume(true)
        let error = WireError.handlesDoNotMatch(announced: 0, received: 1)
        #expect(
            try await one.allEvents() == [.json(1), .json(2), .failed("protocolViolation \(error)"), .delivered])
    }
}
