import Fork
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite("Handles")
struct HandleTests {
    /// Two connected sockets, the second for somebody else.
    private struct Pair: ~Copyable {
        let ours: Handle
        let theirs: Handle

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            ours = Handle(owning: FileDescriptor(rawValue: ends[0]))
            theirs = Handle(owning: FileDescriptor(rawValue: ends[1]))
        }

        /// Hands the second one on, and keeps the first.
        consuming func split(_ body: (consuming Handle) throws -> Void) rethrows -> Handle {
            try body(theirs)
            return ours
        }
    }

    @Test("80 sockets sent back to back among 80 plain messages and long ones arrive each with its own, in order")
    func eighty() async throws {
        let child = try Fixture.fork("serve-handles")
        let recorder = Recorder(child)
        let long = String(repeating: "x", count: 800_000)
        var wanted: [JSON] = []
        var sockets: [FileDescriptor] = []
        for number in 0..<Int64(80) {
            let pair = try Pair()
            let ours = try pair.split { theirs in
                var handles = Handles()
                handles.append(theirs)
                let message: JSON =
                    number % 10 == 3
                    ? ["number": .integer(number), "long": .string(long)] : ["number": .integer(number)]
                try child.enqueue(message, handles: handles)
            }
            sockets.append(ours.take())
            try child.enqueue(["number": .integer(1000 + number)] as JSON)
            if number % 10 == 7 { try child.enqueue(["number": -1, "long": .string(long)] as JSON) }
            wanted += [[.integer(number), 1], [.integer(1000 + number), 0]]
            if number % 10 == 7 { wanted.append([-1, 0]) }
        }
        // Each ends only when neither the child nor this process has a copy any more.
        for (number, socket) in sockets.enumerated() {
            let text = try await within { await Handle(owning: socket).readToEnd() }
            #expect(text == "\(number)")
        }
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == wanted)
        #expect(recorder.errors.isEmpty)
    }

    @Test("a duplicate that is sent leaves the sender its own")
    func duplicates() async throws {
        let child = try Fixture.fork("serve-handles")
        let pair = try Pair()
        let mine = try pair.theirs.fileDescriptor.duplicate()
        try child.enqueue(["number": 5] as JSON, handles: try Handles(duplicating: pair.theirs.fileDescriptor))
        child.disconnect()
        _ = try await within { try await child.waitForExit() }
        _ = try mine.writeAll("mine".utf8)
        try mine.close()
        let text = await pair.split { _ in }.readToEnd()
        #expect(text == "5mine")
    }

    @Test("several handles of one message, of several kinds, go to the child and come back in their order")
    func roundTrip() async throws {
        let child = try Fixture.fork("return-handles")
        var messages = child.messages.makeAsyncIterator()
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        // Swift's Glibc module does not show it.
        typealias MemoryFile = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
        let memory = unsafeBitCast(dlsym(nil, "memfd_create"), to: MemoryFile.self)("fork-test", 0)
        let file = try FileDescriptor.open("/dev/zero", .readOnly)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let numbers = [ends[0], ends[1], memory, file.rawValue, listener]
        let wanted = numbers.map(Self.identity)
        var handles = Handles()
        for number in numbers { handles.append(Handle(owning: FileDescriptor(rawValue: number))) }
        #expect(handles.count == 5)
        try child.enqueue("there and back", handles: handles)
        let message = try #require(await messages.next())
        #expect(message.json == "there and back" && message.handleCount == 5)
        #expect(message.description.contains("5 handles"))
        let copy = message
        var heard: [String] = []
        while let handle = copy.takeHandle() {
            let number = handle.fileDescriptor.rawValue
            heard.append(Self.identity(number))
            #expect(fcntl(number, F_GETFD) == FD_CLOEXEC)
        }
        #expect(heard == wanted)
        let rest = message.takeHandles().count
        #expect(rest == 0)
        child.kill(.kill)
    }

    /// What a descriptor refers to.
    private static func identity(_ number: Int32) -> String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")) ?? "closed"
    }

    @Test("bytes take handles along, in the waiting form too")
    func bytes() async throws {
        let child = try Fixture.fork("return-handles")
        var messages = child.messages.makeAsyncIterator()
        try await child.send(bytes: [1, 2], handles: try Handles(duplicating: .standardInput))
        // The child answers with JSON, which bytes are not.
        let first = await messages.next()
        #expect(first?.json == .null && first?.handleCount == 1)
        try await child.send("x", handles: try Handles(duplicating: .standardInput, .standardOutput))
        let second = await messages.next()
        #expect(second?.handleCount == 2)
        child.kill(.kill)
    }

    @Test("a child without free descriptors loses the message, hears of it, and gets the next one")
    func childWithoutRoom() async throws {
        var options = ChildProcess.Options()
        options.resourceLimits.openFiles = 16
        let child = try Fixture.fork("serve-handles", options: options)
        var messages = child.messages.makeAsyncIterator()
        var handles = Handles()
        for _ in 0..<30 { handles.append(try Handle(duplicating: .standardInput)) }
        try child.enqueue(["number": 1] as JSON, handles: handles)
        try child.enqueue(["number": 2] as JSON)
        let pair = try Pair()
        let ours = try pair.split { theirs in
            var one = Handles()
            one.append(theirs)
            try child.enqueue(["number": 3] as JSON, handles: one)
        }
        let answers = [await messages.next()?.json, await messages.next()?.json, await messages.next()?.json]
        #expect(answers == [["error": "handlesLost"], [2, 0], [3, 1]])
        #expect(await ours.readToEnd() == "3")
        child.kill(.kill)
    }

    @Test("a child that may send no handles is told before it has sent one")
    func notAccepted() async throws {
        var options = ChildProcess.Options()
        options.acceptsHandles = false
        let child = try Fixture.fork("refused-handle", options: options)
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.messages == [["error": "notSupported"]])
    }

    @Test(
        "more handles than the system lets a user have under way wait until some have been read",
        .enabled(if: geteuid() == 0, "only root can start a child as another user"))
    func tooManyUnderWay() async throws {
        var options = ChildProcess.Options()
        // Counted over all that a user has under way, so nobody else's.
        options.user = .id(200_000 + UInt32(getpid()))
        // So many may be under way; each that waits takes a place in the child's own table.
        options.resourceLimits.openFiles = 24
        let child = try Fixture.fork("send-handles", "36", options: options)
        // Nobody reads until the child has sent all that it could.
        try await eventually("the child to stop") { Probe.state(child.pid) == "T" }
        #expect(child.kill(.continue))
        let messages = child.messages
        let counts = try await within {
            var counts: [Int] = []
            for await message in messages {
                counts.append(message.handleCount)
                if counts.count == 36 { break }
            }
            return counts
        }
        #expect(counts == .init(repeating: 1, count: 36))
        child.kill(.kill)
    }

    @Test("a sequence that nobody goes on with holds few handles, however many come")
    func unreadSequence() async {
        await #expect(processExitsWith: .success) {
            let child = try Fixture.fork("return-handles")
            var messages = child.messages.makeAsyncIterator()
            for number in 0..<80 {
                var handles = Handles()
                for _ in 0..<8 { handles.append(try Handle(duplicating: .standardInput)) }
                try child.enqueue(number, handles: handles)
            }
            #expect(await messages.next()?.handleCount == 8)
            // No event tells that nothing more comes: the child has sent what its socket takes, and this side has read
            // what it keeps. Were this too short, fewer would be held, and nothing would fail.
            try await Task.sleep(for: .milliseconds(300))
            let held = (0..<Int32(2048)).count { fcntl($0, F_GETFD) != -1 }
            // The buffer of the sequence, and the window: each counts a handle as 4 KiB.
            #expect(held < 400)
            var count = 1
            while count < 80, await messages.next()?.handleCount == 8 { count += 1 }
            #expect(count == 80)
            child.kill(.kill)
        }
    }

    @Test("messages that never left are counted once the child has gone")
    func unsent() async throws {
        let child = try Fixture.fork("mute")
        try child.enqueue(String(repeating: "x", count: 4 << 20))
        for number in 0..<5 { try child.enqueue(number) }
        #expect(child.unsentMessageCount == 0)
        child.kill(.kill)
        try await closed(child)
        #expect(child.unsentMessageCount == 6)
    }
}

extension Handle {
    /// All that comes from a socket until its end, which comes when the last copy of the other end is closed.
    consuming func readToEnd() async -> String {
        let number = take()
        let bytes = await blocking {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1024)
            while let count = try? buffer.withUnsafeMutableBytes({ try number.read(into: $0) }), count > 0 {
                bytes += buffer[..<count]
            }
            return bytes
        }
        try? number.close()
        return String(decoding: bytes, as: UTF8.self)
    }
}
