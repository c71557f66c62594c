import JSONCodec
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging
@testable import Reactor

@Suite("The Node dialect")
struct NodeDialectTests {
    private func open(
        limits: ChannelLimits = ChannelLimits(), consumes: Bool = true
    ) throws -> (End, PlainSocket) {
        try End.facingSocket(limits: limits, dialect: .node, consumes: consumes)
    }

    private static let acknowledgement = String(decoding: NodeEncoder.acknowledgement, as: UTF8.self)
    private static let refusal = String(decoding: NodeEncoder.refusal, as: UTF8.self)

    private func line(_ message: String) -> String {
        "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\(message)}\n"
    }

    /// Sockets, of which one end is sent.
    private func socket() throws -> DescriptorList {
        let number = try System.socketPair().split { ours, _ in ours.take() }
        return DescriptorList(owning: [number])
    }

    // MARK: Messages

    @Test("messages are lines, both ways, and nothing is said before them")
    func messages() async throws {
        let (one, two) = try open()
        try one.channel.send(["a": 1])
        try one.channel.send("\n")
        #expect(try await two.readText(13) == "{\"a\":1}\n\"\\n\"\n")
        two.writeText("[1]\n{\"cmd\":\"NODE_CLUSTER\"}\n\n2\r\n")
        #expect(
            try await one.journal.wait(forCount: 3) == [.json([1]), .failed("badPayload syntax"), .json(2)])
    }

    @Test("lines that are wrong cost themselves and nothing else")
    func badLines() async throws {
        let (one, two) = try open()
        for text in [
            "{", "\0", "\u{1}", "nul", "[1,]", "{\"cmd\":\"NODE_HANDLE_ACK\"}", "{\"cmd\":\"NODE_HANDLE_NACK\"}",
        ] {
            two.writeText(text + "\n")
        }
        two.writeAll([0xff, 10])
        two.writeText("\"good\"\n")
        let events = try await one.messages(1)
        #expect(events == [.json("good")])
        let all = one.journal.entries
        #expect(all.count == 7)
        #expect(
            all.dropLast().allSatisfy { if case .failed(let name) = $0 { name.hasPrefix("badPayload") } else { false } }
        )
    }

    @Test("a line that never ends is over the limit, and the channel closes without a word")
    func endless() async throws {
        let (one, two) = try open(limits: ChannelLimits(messageLimit: 4096))
        two.writeAll([UInt8](repeating: 0x61, count: 5000))
        let events = try await one.allEvents()
        #expect(events.count == 2 && events.last == .delivered)
        #expect(events[0] == .failed("protocolViolation \(WireError.messageTooLong(5000, limit: 4096))"))
        #expect(try await two.readToEnd() == [])
    }

    @Test("a line that ends with the stream is truncated, after those before it")
    func truncated() async throws {
        let (one, two) = try open()
        two.writeText("1\n\"half")
        two.close()
        #expect(
            try await one.allEvents() == [.json(1), .failed("protocolViolation \(WireError.truncated)"), .delivered])
    }

    @Test("lost messages are counted by their lines")
    func counting() async throws {
        let (one, two) = try open()
        while try one.channel.send(String(repeating: "x", count: 10_000)) {}
        let count = Journal<Int>()
        for _ in 0..<3 { try one.channel.send(1) }
        two.close()
        _ = try await one.allEvents()
        try await one.settle()
        count.append(one.channel.lostMessageCount)
        #expect(count.entries[0] > 50)
    }

    // MARK: Sending handles

    @Test("what comes after a handle waits until it is acknowledged, and then goes on, with the next handle")
    func waiting() async throws {
        let (one, two) = try open()
        try one.channel.send(1, handles: try socket())
        try one.channel.send(2)
        try one.channel.send(3, handles: try socket())
        try one.channel.send(4)
        #expect(try two.readPiece() == (line("1").bytes, 1))
        try await one.settle()
        #expect(two.bytesAvailable == 0)
        two.writeText(Self.acknowledgement)
        #expect(try await two.readText(2) == "2\n")
        #expect(try await two.nextPiece() == (line("3").bytes, 1))
        two.writeText(Self.acknowledgement)
        #expect(try await two.readText(2) == "4\n")
        try await one.channel.flush()
    }

    @Test("a handle that is refused is sent again three times, and then given up with an error")
    func again() async throws {
        let (one, two) = try open()
        try one.channel.send(1, handles: try socket())
        try one.channel.send(2)
        for _ in 0..<4 {
            #expect(try await two.nextPiece() == (line("1").bytes, 1))
            two.writeText(Self.refusal)
        }
        #expect(try await two.readText(2) == "2\n")
        #expect(try await one.journal.wait(forCount: 1) == [.failed("handleNotReceived")])
        #expect(one.channel.lostMessageCount == 1)
    }

    @Test(
        "an answer is read though nobody takes messages, and what came before it is kept for whoever does",
        arguments: [1, 5, 1000])
    func answersWithoutConsumer(_ portion: Int) async throws {
        let (one, two) = try open(consumes: false)
        try one.channel.send(1, handles: try socket())
        try one.channel.send(2, handles: try socket())
        try one.channel.send(3)
        for number in 1...2 {
            #expect(try await two.nextPiece() == (line("\(number)").bytes, 1))
            let text = "[\(number)]\n{\"cmd\":\"other\"}\n\(Self.acknowledgement)\"x\"\n"
            for start in stride(from: 0, to: text.utf8.count, by: portion) {
                two.writeAll(text.bytes[start..<min(start + portion, text.utf8.count)])
                try await one.settle()
            }
        }
        #expect(try await two.readText(2) == "3\n")
        one.consume(true)
        let wanted: [Event] = [1, 2].flatMap { [.json([.integer($0)]), .json(["cmd": "other"]), .json("x")] }
        #expect(try await one.messages(6) == wanted)
        #expect(one.journal.entries.count == 6)
    }

    @Test("an answer is read though a consumer is saturated in the middle of a message")
    func answersWhilePaused() async throws {
        let (one, two) = try open()
        two.writeText("1\n\"ha")
        _ = try await one.messages(1)
        one.pause()
        try await one.settle()
        try one.channel.send(2, handles: try socket())
        try one.channel.send(3)
        #expect(try await two.nextPiece() == (line("2").bytes, 1))
        two.writeText("lf\"\n" + Self.acknowledgement)
        #expect(try await two.readText(2) == "3\n")
        #expect(one.journal.entries == [.json(1)])
        one.resume()
        #expect(try await one.messages(2) == [.json(1), .json("half")])
    }

    @Test("a question after sockets that were given away is answered")
    func questions() async throws {
        let (_, two) = try open()
        two.writeText("{\"cmd\":\"NODE_SOCKET_NOTIFY_CLOSE\",\"key\":\"k\"}\n")
        let answer = "{\"cmd\":\"NODE_SOCKET_ALL_CLOSED\",\"key\":\"k\"}\n"
        #expect(try await two.readText(answer.utf8.count) == answer)
    }

    @Test("a disconnect waits for what waits for an acknowledgement")
    func disconnect() async throws {
        let (one, two) = try open()
        try one.channel.send(1, handles: try socket())
        try one.channel.send(2)
        one.channel.close()
        #expect(try await two.nextPiece() == (line("1").bytes, 1))
        two.writeText(Self.acknowledgement)
        #expect(try await two.readToEnd() == "2\n".bytes)
    }

    @Test("two handles, and one that is no stream socket, are refused by name")
    func refused() throws {
        let (one, _) = try open()
        let pipe = TestPipe()
        #expect(failure { try one.channel.send(1, handles: pipe.handles(2)) } == "tooManyHandles 2")
        #expect(failure { try one.channel.send(1, handles: pipe.handles(1)) } == "handleKindNotSupported")
        #expect(failure { try one.channel.send(bytes: [1]) } == "bytesNotSupported")
        #expect(failure { try one.channel.send(bytes: [1], handles: pipe.handles(1)) } == "bytesNotSupported")
        #expect(pipe.isOurs())
    }

    // MARK: Receiving handles

    @Test("a handle is acknowledged and delivered with its message, and one that did not come is asked for again")
    func receiving() async throws {
        let (one, two) = try open()
        let pipe = TestPipe()
        two.writeText("0\n" + line("1"))
        #expect(try await two.readText(Self.refusal.utf8.count) == Self.refusal)
        try pipe.handles().withNumbers { two.write(line("1").bytes, handles: Array($0)) }
        #expect(try await two.readText(Self.acknowledgement.utf8.count) == Self.acknowledgement)
        #expect(try await one.messages(2) == [.json(0), .handles(1, [pipe.id])])
    }

    @Test("a handle that comes with a message of Node's own is acknowledged and closed, and nobody hears of it")
    func internalWithHandle() async throws {
        let (one, two) = try open()
        let pipe = TestPipe()
        try pipe.handles().withNumbers {
            two.write(line("{\"cmd\":\"NODE_CLUSTER\"}").bytes, handles: Array($0))
        }
        two.writeText("2\n")
        #expect(try await two.readText(Self.acknowledgement.utf8.count) == Self.acknowledgement)
        #expect(try await one.journal.wait(forCount: 1) == [.json(2)])
        #expect(pipe.isOurs())
    }

    @Test("an acknowledgement does not wait for this side's own handle, or both would wait for ever")
    func bothWays() async throws {
        let (one, two) = try open()
        try one.channel.send(1, handles: try socket())
        #expect(try await two.nextPiece() == (line("1").bytes, 1))
        try one.channel.send(2)
        try socket().withNumbers { two.write(line("3").bytes, handles: Array($0)) }
        #expect(try await two.readText(Self.acknowledgement.utf8.count) == Self.acknowledgement)
        two.writeText(Self.acknowledgement)
        #expect(try await two.readText(2) == "2\n")
    }

    @Test("a peer that asks for answers without end and reads none is given up")
    func flood() async throws {
        let (one, two) = try open()
        let bytes = Array(repeatElement(line("1").bytes, count: 2000).joined())
        var wanted: [Event] = []
        // Nobody reads the answers, so they fill the socket, and then the queue.
        while one.journal.entries.isEmpty {
            two.write(bytes)
            try await one.settle()
        }
        wanted = try await one.allEvents()
        #expect(wanted == [.failed("protocolViolation \(WireError.answersUnread)"), .delivered])
    }

    @Test("two handles with a line are more than Node sends, and one with a line that announces none is stray")
    func stray() async throws {
        for (text, announced, count) in [(line("1"), 1, 2), ("1\n", 0, 1)] {
            let (one, two) = try open()
            let pipe = TestPipe()
            try pipe.handles(count).withNumbers { two.write(text.bytes, handles: Array($0)) }
            let events = try await one.allEvents().filter { !$0.isMessage }
            let error = WireError.handlesDoNotMatch(announced: announced, received: count)
            #expect(events == [.failed("protocolViolation \(error)"), .delivered])
            #expect(pipe.isOurs())
        }
    }

    @Test("a side that takes no handles acknowledges them, and loses their messages alone")
    func notTaken() async throws {
        let (one, two) = try open(limits: ChannelLimits(acceptsHandles: false))
        try socket().withNumbers { two.write(line("1").bytes, handles: Array($0)) }
        two.writeText("2\n")
        #expect(try await two.readText(Self.acknowledgement.utf8.count) == Self.acknowledgement)
        #expect(try await one.journal.wait(forCount: 2) == [.failed("handlesNotTaken 1"), .json(2)])
    }

    @Test(
        "handles sent both ways at once by other threads than the loops' all arrive, in order", .timeLimit(.minutes(5)))
    func manyHandles() async throws {
        let count = 500
        let (one, two) = try System.socketPair().split { ours, theirs in
            (try End.open(ours, dialect: .node), try End.open(theirs, dialect: .node))
        }
        for end in [one, two] {
            try Thread.start(name: "sender") {
                for number in 0..<count {
                    let pair = try? System.socketPair().split { ours, _ in ours.take() }
                    guard let pair else { return }
                    _ = try? end.channel.send(number, handles: DescriptorList(owning: [pair]))
                    // Not more at once than there may be descriptors.
                    while end.channel.outbound.withLock({ !$0.queue.isEmpty }) { System.sleep(milliseconds: 0) }
                }
            }
        }
        for end in [one, two] {
            let events = try await end.messages(count)
            let numbers = events.map { event -> Int64 in
                if case .handles(.integer(let number), _) = event { return number }
                return -1
            }
            #expect(numbers == Array(0..<Int64(count)))
        }
    }

    // MARK: Peers that misbehave or go while a handle is under way

    @Test("a handle that is refused before its line has been written goes again behind it")
    func refusedEarly() async throws {
        let (one, two) = try open()
        let text = "\"" + String(repeating: "x", count: 2 << 20) + "\""
        try one.channel.send(String(repeating: "x", count: 2 << 20), handles: try socket())
        try one.channel.send(2)
        two.writeText(Self.refusal)
        try await one.settle()
        #expect(try await two.readText(line(text).utf8.count) == line(text))
        #expect(try await two.readText(line(text).utf8.count) == line(text))
        two.writeText(Self.acknowledgement)
        #expect(try await two.readText(2) == "2\n")
        try await one.channel.flush()
    }

    @Test(
        "a peer that has ended its direction acknowledges nothing more, and is not waited for", .timeLimit(.minutes(5)))
    func halfClosed() async throws {
        let (one, two) = try open()
        try one.channel.send(1, handles: try socket())
        try one.channel.send(2)
        try one.channel.send(3, handles: try socket())
        two.shutdownWriting()
        #expect(try await two.nextPiece() == (line("1").bytes, 1))
        #expect(try await two.readText(2) == "2\n")
        #expect(try await two.nextPiece() == (line("3").bytes, 1))
        try await one.channel.flush()
        #expect(try await two.readToEnd() == [])
    }

    @Test(
        "a peer that goes instead of acknowledging ends the channel, and the handle is closed", .timeLimit(.minutes(5)))
    func gone() async throws {
        let (one, two) = try open()
        let other = try System.socketPair().split { ours, theirs in
            try one.channel.send(1, handles: DescriptorList(owning: [ours.take()]))
            return PlainSocket(theirs.take())
        }
        try one.channel.send(2)
        #expect(try await two.nextPiece() == (line("1").bytes, 1))
        two.close()
        #expect(await laterFailure { try await one.channel.flush() } == "closed byPeer")
        #expect(try await other.readToEnd() == [])
        #expect(one.channel.lostMessageCount == 1)
    }

    @Test("an acknowledgement is read where nobody takes messages, and those before it are kept in their order")
    func nobodyListens() async throws {
        let (one, two) = try open(consumes: false)
        for number in 0..<10 {
            try one.channel.send(JSON.integer(Int64(number)), handles: try socket())
            #expect(try await two.nextPiece() == (line("\(number)").bytes, 1))
            two.writeText("\(2 * number)\n" + Self.acknowledgement + "\(2 * number + 1)\n")
        }
        try one.channel.send("end")
        #expect(try await two.readText(6) == "\"end\"\n")
        #expect(one.journal.entries == [])
        one.consume(true)
        #expect(try await one.messages(20) == (0..<20).map { .json(.integer($0)) })
    }

    @Test("a line that breaks the framing behind an acknowledgement is told after the messages before it")
    func brokenBehindKept() async throws {
        let (one, two) = try open(limits: ChannelLimits(messageLimit: 4096), consumes: false)
        try one.channel.send(1, handles: try socket())
        #expect(try await two.nextPiece() == (line("1").bytes, 1))
        two.writeText("1\n")
        two.writeAll([UInt8](repeating: 0x61, count: 5000))
        try await one.settle()
        one.consume(true)
        let events = try await one.allEvents()
        #expect(events.count == 3 && events.first == .json(1) && events.last == .delivered)
    }

    @Test(
        "what is kept in front of an acknowledgement is bounded, good and bad, and comes in its order",
        .timeLimit(.minutes(5)), arguments: [true, false])
    func flooded(isGood: Bool) async throws {
        let (one, two) = try open(consumes: false)
        try one.channel.send(1, handles: try socket())
        // Of a power of two, so that the socket takes whole ones.
        let text = isGood ? "\"" + String(repeating: "x", count: 1021) + "\"\n" : "{x\n{\n"
        let bytes = Array(String(repeating: text, count: isGood ? 1 : 512).utf8)
        var written = 0
        var refusals = 0
        // What is kept has its bound when the socket stays full.
        while refusals < 20, written < 2 << 20 {
            let count = two.write(bytes)
            written += count
            refusals = count == 0 ? refusals + 1 : 0
            if count == 0 { try await one.settle() }
        }
        #expect(written < 2 << 20)
        #expect(one.journal.entries == [])
        one.consume(true)
        let count = isGood ? written / bytes.count : written * 2 / 5
        let events = try await one.journal.wait(forCount: count)
        #expect(events.allSatisfy { $0.isMessage == isGood })
    }

    @Test("at the end of the process an acknowledgement that nobody reads holds nothing back")
    func exit() async throws {
        let (one, two) = try open(consumes: false)
        try one.channel.send(1, handles: try socket())
        try one.channel.send(2)
        #expect(try await two.nextPiece() == (line("1").bytes, 1))
        let time = Journal<Duration>()
        try Thread.start(name: "exit") {
            time.append(ContinuousClock().measure { one.channel.flush(givingUpAfter: .seconds(15)) })
        }
        #expect(try await time.wait(forCount: 1)[0] < .seconds(10))
        #expect(try two.readPiece() == ("2\n".bytes, 0))
    }
}

extension String {
    fileprivate var bytes: [UInt8] { Array(utf8) }
}

extension PlainSocket {
    fileprivate func writeText(_ text: String) { writeAll(Array(text.utf8)) }

    fileprivate func readText(_ count: Int) async throws -> String {
        String(decoding: try await read(count), as: UTF8.self)
    }

    /// What comes in one piece, and how many handles with it.
    fileprivate func readPiece() throws -> ([UInt8], Int) {
        let (bytes, handles) = try readPiece(65_536)
        return (bytes, handles.count)
    }

    /// The same, once there is something.
    fileprivate func nextPiece() async throws -> ([UInt8], Int) {
        try await eventually("something to read") { bytesAvailable > 0 }
        return try readPiece()
    }
}
