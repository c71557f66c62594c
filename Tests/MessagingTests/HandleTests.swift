import JSONCodec
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging
@testable import Reactor

@Suite("Handles")
struct HandleTests {
    private func violation(announced: Int, received: Int) -> Event {
        .failed("protocolViolation \(WireError.handlesDoNotMatch(announced: announced, received: received))")
    }

    /// A message as a peer writes it.
    private func message(_ text: String, handleCount: Int) -> [UInt8] {
        frame(.message, text.utf8, handleCount: handleCount)
    }

    // MARK: Each with its own

    @Test("handles stay with their messages, in order, among plain, binary and long ones")
    func order() async throws {
        let (one, two) = try End.pair()
        let long = String(repeating: "x", count: 3 << 20)
        var wanted: [Event] = []
        for number in 0..<Int64(60) {
            let pipe = TestPipe()
            let count = Int(number % 3) + 1
            try one.channel.send(number, handles: try pipe.handles(count))
            wanted.append(.handles(.integer(number), .init(repeating: pipe.id, count: count)))
            try one.channel.send("plain")
            wanted.append(.json("plain"))
            if number % 20 == 7 {
                try one.channel.send(long, handles: try pipe.handles())
                wanted.append(.handles(.string(long), [pipe.id]))
                try one.channel.send(bytes: [UInt8](repeating: 7, count: 50_000))
                wanted.append(.bytes([UInt8](repeating: 7, count: 50_000)))
            }
        }
        let heard = try await two.messages(wanted.count)
        #expect(heard == wanted)
    }

    @Test("they stay so when the socket takes only little at a time, and when nobody reads at first")
    func smallBuffer() async throws {
        let (one, two) = try End.pair(bufferSize: 4096, consumes: false)
        one.consume(true)
        var wanted: [Event] = []
        for number in 0..<Int64(100) {
            let pipe = TestPipe()
            let value = JSON.array([.integer(number), .string(String(repeating: "y", count: Int(number) * 37))])
            try one.channel.send(value, handles: try pipe.handles(2))
            wanted.append(.handles(value, [pipe.id, pipe.id]))
        }
        two.consume(true)
        let heard = try await two.messages(wanted.count)
        #expect(heard == wanted)
    }

    @Test("they stay so when the consumer takes one message at a time")
    func pausing() async throws {
        let (one, socket) = try End.facingSocket { end, event in
            guard event.isMessage else { return }
            end.channel.pause()
            end.channel.loop.execute { end.channel.resume() }
        }
        try socket.writeHello()
        var wanted: [Event] = []
        for number in 0..<20 {
            let pipe = TestPipe()
            let handles = try pipe.handles()
            handles.withNumbers { numbers in
                socket.write(
                    message("\(number)", handleCount: 1) + frame(.message, "null".utf8), handles: Array(numbers))
            }
            wanted += [.handles(.integer(Int64(number)), [pipe.id]), .json(.null)]
        }
        #expect(try await one.messages(wanted.count) == wanted)
    }

    @Test("a header that comes in pieces still finds its handles, which came with its first byte")
    func headerInPieces() async throws {
        let (one, socket) = try End.facingSocket()
        try socket.writeHello()
        let pipe = TestPipe()
        let bytes = message("\"in pieces\"", handleCount: 1)
        for index in bytes.indices {
            let handles = try index == 0 ? pipe.handles() : DescriptorList()
            handles.withNumbers { socket.write([bytes[index]], handles: Array($0)) }
            try await one.settle()
        }
        #expect(try await one.messages(1) == [.handles("in pieces", [pipe.id])])
    }

    @Test("handles ride with the first frame of a message, and a control frame may come between its frames")
    func fragments() async throws {
        let (one, socket) = try End.facingSocket()
        try socket.writeHello()
        let pipe = TestPipe()
        let handles = try pipe.handles()
        let first = frame(.message, "\"a".utf8, flags: .more, handleCount: 1)
        handles.withNumbers { socket.write(first, handles: Array($0)) }
        try await one.settle()
        socket.writeAll(frame(.ping, [UInt8](repeating: 7, count: 8)) + frame(.message, "b\"".utf8))
        #expect(try await one.messages(1) == [.handles("ab", [pipe.id])])
    }

    @Test("what a peer sees: the handles come with the first byte of their message, and never with another's")
    func onTheWire() async throws {
        let (one, socket) = try End.facingSocket()
        _ = try await socket.readFrame()
        let pipes = [TestPipe(), TestPipe()]
        try one.burst()
        for _ in 0..<BurstDetector.writtenAtOnce { _ = try await socket.readFrame() }
        // One turn of the loop, so that all of it is there to be gathered.
        one.onLoop { channel in
            _ = try? channel.send(1)
            for pipe in pipes { _ = try? channel.send(2, handles: pipe.handles()) }
            _ = try? channel.send(3)
        }
        try await one.settle()
        let plain = frame(.message, "1".utf8)
        let with = message("2", handleCount: 1)
        let pieces = try [socket.readPiece(plain.count), socket.readPiece(), socket.readPiece()]
        #expect(pieces.map(\.bytes) == [plain, with, with + frame(.message, "3".utf8)])
        #expect(pieces.map(\.handles) == [[], [pipes[0].id], [pipes[1].id]])
    }

    // MARK: Whose they are

    @Test("the sender keeps no copy once the message has been written")
    func noCopyKept() async throws {
        let (one, two) = try End.pair()
        let pipe = TestPipe()
        try one.channel.send("x", handles: try pipe.handles(3))
        _ = try await two.messages(1)
        try await one.channel.flush()
        #expect(pipe.isOurs())
    }

    @Test("handles of messages that are refused, thrown away or never read are closed")
    func closedInAnyCase() async throws {
        let refused = TestPipe()
        let queued = TestPipe()
        let unread = TestPipe()
        let late = TestPipe()
        do {
            let (one, socket) = try End.facingSocket(limits: ChannelLimits(messageLimit: 65_536))
            let long = String(repeating: "z", count: 70_000)
            #expect(failure { try one.channel.send(long, handles: refused.handles()) } == "tooLong 70002 65536")
            try one.channel.send("unread", handles: try unread.handles())
            while try one.channel.send(bytes: [UInt8](repeating: 0, count: 4096)) {}
            try one.channel.send("queued", handles: try queued.handles())
            socket.close()
            _ = try await one.allEvents()
            try await one.settle()
            #expect(failure { try one.channel.send("late", handles: late.handles()) } == "closed byPeer")
        }
        #expect(refused.isOurs() && queued.isOurs() && unread.isOurs() && late.isOurs())
    }

    @Test("handles that came with a message are closed with it, and can be taken once")
    func ownership() throws {
        let pipe = TestPipe()
        var shared: SharedDescriptors? = SharedDescriptors(try pipe.handles(3))
        #expect(shared?.count == 3)
        do {
            let number = shared?.takeFirst()?.take() ?? -1
            #expect(System.isOpen(number))
            System.close(number)
            let counts = [shared?.takeAll().count, shared?.takeAll().count]
            #expect(counts == [2, 0])
        }
        shared = SharedDescriptors(try pipe.handles(1))
        shared = nil
        #expect(pipe.isOurs())
    }

    // MARK: What can't be sent

    @Test("more than 253 handles, one that is not open, and a peer that takes none are refused by name")
    func refused() async throws {
        let (one, socket) = try End.facingSocket()
        let pipe = TestPipe()
        #expect(failure { try one.channel.send(1, handles: pipe.handles(254)) } == "tooManyHandles 254")
        #expect(failure { try one.channel.send(1, handles: DescriptorList(owning: [.max])) } == "handleNotOpen")
        socket.writeAll(
            try Hello(limits: Hello.Limits(message: 65_536, window: Hello.Limits.endlessWindow, ids: 0)).frame())
        socket.writeAll(frame(.message, "1".utf8))
        _ = try await one.messages(1)
        #expect(failure { try one.channel.send(1, handles: pipe.handles()) } == "handlesNotTakenByPeer")
        #expect(failure { try one.channel.send(2) } == nil)
    }

    @Test("253 handles pass")
    func most() async throws {
        let (one, two) = try End.pair()
        let pipe = TestPipe()
        try one.channel.send(bytes: [1])
        try one.channel.send(1, handles: try pipe.handles(253))
        #expect(try await two.messages(2) == [.bytes([1]), .handles(1, .init(repeating: pipe.id, count: 253))])
    }

    @Test("a handle that the kernel refuses costs its message, and those who wait for that hear of it")
    func refusedByTheKernel() async throws {
        let (one, two) = try End.pair()
        // Closed behind the back of the list, when the message is queued already.
        let number = try System.duplicate(two.channel.descriptor, atLeast: 700)
        let heard = Journal<String>()
        try one.burst()
        one.onLoop { channel in
            _ = try? channel.send(1)
            _ = try? channel.send(2, handles: DescriptorList(owning: [number]))
            _ = try? channel.send(3)
            System.close(number)
        }
        Task { heard.append(await laterFailure { try await one.channel.flush() } ?? "nothing") }
        let messages = try await two.messages(BurstDetector.writtenAtOnce + 2)
        #expect(messages.suffix(2) == [.json(1), .json(3)])
        let refusal = Event.failed("handlesRefused \(Errno.badFileDescriptor.rawValue)")
        #expect(try await one.journal.wait(forCount: 1).first == refusal)
        #expect(one.channel.lostMessageCount == 1)
        try await one.channel.flush()
    }

    // MARK: What a peer can do

    @Test(
        "fewer or more handles than announced break the protocol, and are closed", arguments: [(2, 1), (1, 2), (1, 0)])
    func mismatch(_ announced: Int, _ sent: Int) async throws {
        let pipe = TestPipe()
        do {
            let (one, socket) = try End.facingSocket()
            try socket.writeHello()
            let handles = try pipe.handles(sent)
            handles.withNumbers { socket.write(message("1", handleCount: announced), handles: Array($0)) }
            #expect(try await one.allEvents() == [violation(announced: announced, received: sent), .delivered])
        }
        #expect(pipe.isOurs())
    }

    @Test("handles that ride with a later byte of their message break the protocol")
    func misplaced() async throws {
        let (one, socket) = try End.facingSocket()
        try socket.writeHello()
        let bytes = message("1234", handleCount: 1)
        socket.writeAll(bytes[..<3])
        try await one.settle()
        socket.write(Array(bytes[3...]), handles: [socket.rawValue])
        #expect(try await one.allEvents() == [violation(announced: 1, received: 0), .delivered])
    }

    @Test("handles between the fragments of a long message are found before it has ended")
    func strayInTheMiddle() async throws {
        let (one, socket) = try End.facingSocket()
        try socket.writeHello()
        socket.writeAll(frame(.message, "1".utf8, flags: .more))
        socket.write(frame(.message, "1".utf8, flags: .more), handles: [socket.rawValue])
        #expect(try await one.allEvents() == [violation(announced: 0, received: 1), .delivered])
    }

    @Test("a side that takes no handles loses the messages that have some, and reads on")
    func notTaken() async throws {
        let (one, socket) = try End.facingSocket(limits: ChannelLimits(acceptsHandles: false))
        let hello = try await socket.readFrame()
        #expect(!String(decoding: hello.body, as: UTF8.self).contains("handles"))
        try socket.writeHello()
        socket.write(message("1", handleCount: 1), handles: [socket.rawValue])
        socket.writeAll(frame(.message, "2".utf8))
        #expect(
            try await one.journal.wait { $0.count == 2 } == [.failed("handlesNotTaken 1"), .json(2)])
    }

    @Test("a side without free descriptors loses the message, closes what came, and reads on")
    func noRoom() async {
        // In a process of its own, whose descriptors nobody else needs.
        await #expect(processExitsWith: .success) {
            let (one, socket) = try End.facingSocket(consumes: false)
            try socket.writeHello()
            let pipe = TestPipe()
            let handles = try pipe.handles(20)
            let bytes = frame(.message, "1".utf8, handleCount: 20)
            var taken = DescriptorList()
            while let copy = try? System.duplicate(0, atLeast: 0) { taken.append(Descriptor(owning: copy)) }
            // Room for seven of the twenty.
            for _ in 0..<7 { _ = taken.popFirst() }
            handles.withNumbers { socket.write(bytes, handles: Array($0)) }
            socket.writeAll(frame(.message, "2".utf8))
            one.consume(true)
            let wanted: [Event] = [.failed("handlesLost 20"), .json(2)]
            #expect(try await one.journal.wait { $0.count == 2 } == wanted)
            #expect((try? System.duplicate(0, atLeast: 0)) != nil)
        }
    }

    @Test("a peer that ends with many handles unread fills nobody's table while no consumer is there")
    func unreadAtTheEnd() async {
        await #expect(processExitsWith: .success) {
            let limits = ChannelLimits(window: Hello.Limits.endlessWindow)
            let (one, socket) = try End.facingSocket(limits: limits, consumes: false)
            try socket.writeHello()
            let bytes = frame(.message, "1".utf8, handleCount: 200)
            for _ in 0..<20 { socket.write(bytes, handles: [CInt](repeating: 0, count: 200)) }
            socket.close()
            try await one.journal.wait(forCount: 1)
            let open = (0..<CInt(4096)).count { System.isOpen($0) }
            #expect(open < 800)
            one.consume(true)
            let events = try await one.allEvents()
            #expect(events.count(where: \.isMessage) == 3)
            #expect(events.count { $0 == .failed("handlesLost 200") } == 17)
        }
    }
}
