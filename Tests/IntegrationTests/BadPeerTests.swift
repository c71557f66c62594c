import Fork
import Foundation
import Reactor
import TestSupport
import Testing

@Suite("Bad peers: clause 6")
struct BadPeerTests {
    /// A frame of the native dialect, made by hand from its specification.
    static func frame(_ kind: UInt8, flags: UInt8 = 0, handles: UInt16 = 0, _ body: [UInt8]) -> [UInt8] {
        header(UInt32(body.count + 12), kind, flags, handles) + body
    }

    static func header(_ length: UInt32, _ kind: UInt8, _ flags: UInt8 = 0, _ handles: UInt16 = 0) -> [UInt8] {
        withUnsafeBytes(of: length.bigEndian, Array.init) + [kind, flags, UInt8(handles >> 8), UInt8(handles & 255)]
            + [UInt8](repeating: 0, count: 8)
    }

    static func conversation(_ kind: UInt8, _ id: UInt8, flags: UInt8, _ body: [UInt8]) -> [UInt8] {
        var bytes = frame(kind, flags: flags, body)
        bytes[15] = id
        return bytes
    }

    static func message(_ json: String) -> [UInt8] { frame(0x10, Array(json.utf8)) }

    static let hello = frame(
        0x01,
        Array(
            #"{"version":{"major":1,"minor":0},"features":[],"limits":{"message":67108864,"window":9007199254740991}}"#
                .utf8))

    static let breaches: [(name: String, bytes: [UInt8])] = [
        ("garbage instead of a hello", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        ("garbage after the hello", hello + Array("what is this?".utf8)),
        ("a length below the header", hello + header(11, 0x10)),
        ("a length over that of a frame", hello + header(262_157, 0x10)),
        ("data on a conversation that nobody has opened", hello + conversation(0x11, 1, flags: 4, [0, 2, 0x7b, 0x7d])),
        ("a conversation that skips one", hello + conversation(0x11, 4, flags: 4, [0, 2, 0x7b, 0x7d])),
        ("data after the end", hello + frame(0x07, []) + message("1")),
        ("a fragment of nothing", hello + frame(0x11, flags: 1, [])),
        ("the length 0x7fffffff", hello + header(0x7fff_ffff, 0x10)),
        ("the length 0x80000000", hello + header(0x8000_0000, 0x10)),
        ("the length 0xffffffff", hello + header(0xffff_ffff, 0x10)),
        ("only the four bytes of an oversize length", hello + [0xff, 0xff, 0xff, 0xff]),
        ("an unknown kind", hello + frame(0x77, [1])),
        ("unknown flags", hello + frame(0x10, flags: 0x80, Array("1".utf8))),
        ("no hello", message("1")),
        ("a second hello", hello + hello),
        ("a hello of another version", frame(0x01, Array(#"{"version":{"major":2,"minor":0}}"#.utf8))),
        ("a hello that is no JSON", frame(0x01, Array("hello".utf8))),
        ("descriptors that did not come", hello + frame(0x10, handles: 2, Array("1".utf8))),
        ("an interrupted message", hello + frame(0x10, flags: 1, Array("[1".utf8)) + frame(0x11, [1])),
    ]

    @Test(
        "6: a frame that breaks the framing gives one error, the channel closes, and the child sees its end",
        arguments: breaches)
    func brokenFraming(_ breach: (name: String, bytes: [UInt8])) async throws {
        let child = try Fixture.raw(breach.bytes, then: "wait")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(
            recorder.all == [.spawn, .error(.protocolViolation), .disconnect, .exit(.exited(code: 0)), .close],
            "\(breach.name)")
        #expect(!child.isConnected)
    }

    @Test(
        "6: bytes that begin no hello are told as what they are, with the two ways in which that comes about",
        arguments: [
            ("hello world\n", #""hello world\n""#), ("{\"a\":1}\n", #""{\"a\":1}\n""#), ("hi", #""hi""#),
            ("\u{1}", #""\x01""#),
            ("\u{1B}[31m\r\n0123456789abcdef", #""\x1b[31m\r\n012345678""#),
        ])
    func notSpoken(_ written: String, _ shown: String) async throws {
        let child = try Fixture.raw(Array(written.utf8), then: "exit")
        let errors = Locked<[ForkError]>([])
        child.onError { error in errors.withLock { $0.append(error) } }
        child.onMessage { _ in }
        try await closed(child)
        let error = try #require(errors.withLock { $0.first })
        #expect(errors.withLock { $0.count } == 1)
        #expect(error.code == .protocolViolation)
        #expect(error.message.contains("does not speak this protocol"), "\(error)")
        #expect(error.message.contains("the first bytes are \(shown). "), "\(error)")
        #expect(error.message.contains("descriptor") && error.message.contains("`Options.node()`"), "\(error)")
    }

    @Test(
        "6: text between two frames is told as what it is",
        arguments: [("hello world\n", #""hell""#), ("\n\"x\\yz", #""\n\"x\\""#), ("\u{1}abcd", nil)])
    func textBetweenFrames(_ written: String, _ shown: String?) async throws {
        let child = try Fixture.raw(Self.hello + Self.message("1") + Array(written.utf8), then: "exit")
        let errors = Locked<[ForkError]>([])
        child.onError { error in errors.withLock { $0.append(error) } }
        child.onMessage { _ in }
        try await closed(child)
        let error = try #require(errors.withLock { $0.first })
        #expect(error.code == .protocolViolation)
        if let shown {
            let text = "is the characters \(shown): something else writes to the channel's descriptor"
            #expect(error.message.hasSuffix(text), "\(error)")
        } else {
            #expect(!error.message.contains("characters"), "\(error)")
        }
    }

    @Test("6: messages before a broken frame are delivered, those after it are not")
    func aroundABrokenFrame() async throws {
        let bytes = Self.hello + Self.message("1") + Self.message("2") + Self.frame(0x99, []) + Self.message("3")
        let child = try Fixture.raw(bytes, then: "wait")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.messages == [1, 2])
        #expect(recorder.errors == [.protocolViolation])
    }

    static let badPayloads: [(name: String, text: [UInt8])] = [
        ("malformed JSON", Array(#"{"a":"#.utf8)),
        ("nothing", []),
        ("invalid UTF-8", [0x22, 0xff, 0x22]),
        ("too deep", Array(repeating: UInt8(ascii: "["), count: 10_000)),
        ("two documents", Array("1 2".utf8)),
        ("a duplicate key", Array(#"{"a":1,"a":2}"#.utf8)),
        ("a number out of range", Array("1e400".utf8)),
        ("a lone surrogate", Array(#""\ud800""#.utf8)),
        ("a NUL", [0x31, 0]),
        ("NaN", Array("NaN".utf8)),
    ]

    @Test("6: a bad payload in a good frame gives one error, and the next message is read", arguments: badPayloads)
    func badPayload(_ payload: (name: String, text: [UInt8])) async throws {
        let child = try Fixture.raw(
            Self.hello + Self.frame(0x10, payload.text) + Self.message(#""next""#), then: "exit")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(
            recorder.all == [
                .spawn, .error(.invalidMessage), .message("next"), .disconnect, .exit(.exited(code: 0)), .close,
            ], "\(payload.name)")
    }

    @Test("6: a child that is killed at any byte of a frame gives its whole messages, and an error for the torn one")
    func killedAtEveryOffset() async throws {
        let first = Self.hello + Self.message(#""first""#)
        let second = Self.message(#"{"second":[1,2,3]}"#)
        for count in 0...(first.count + second.count) {
            let child = try Fixture.raw(first + second, first: count, then: "kill")
            let recorder = Recorder(child)
            try await closed(child)
            var expected: [Recorder.Entry] = [.spawn]
            if count >= first.count { expected.append(.message("first")) }
            if count == first.count + second.count { expected.append(.message(["second": [1, 2, 3]])) }
            let isWhole = [0, Self.hello.count, first.count, first.count + second.count].contains(count)
            if !isWhole { expected.append(.error(.protocolViolation)) }
            expected += [.disconnect, .exit(.signaled(.kill, coreDumped: false)), .close]
            #expect(recorder.all == expected, "killed after \(count) bytes")
        }
    }

    @Test("6: the frames of a message are put together, however small they are")
    func frames() async throws {
        let text = Array(#"["frames",1,2]"#.utf8)
        var bytes = Self.hello
        for (index, byte) in text.enumerated() {
            bytes += Self.frame(0x10, flags: index == text.count - 1 ? 0 : 1, [byte])
        }
        bytes += Self.frame(0x11, flags: 1, [1, 2]) + Self.frame(0x11, [])
        let child = try Fixture.raw(bytes, then: "exit")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.all.dropFirst().prefix(2) == [.message(["frames", 1, 2]), .bytes(2)])
        #expect(recorder.errors == [])
    }

    @Test("6: a child that breaks the protocol does not disturb its siblings")
    func siblings() async throws {
        let good = try Fixture.fork("echo")
        var answers = good.messages.makeAsyncIterator()
        for round in 0..<20 {
            let bad = try Fixture.raw(Self.breaches[round % Self.breaches.count].bytes, then: "wait")
            _ = Recorder(bad)
            try await good.send(round)
            let answer = await answers.next()
            #expect(answer?.json == .integer(Int64(round)))
            try await closed(bad)
        }
        good.kill(.kill)
    }

    @Test("6: a child that announces much and sends little costs no memory")
    func announcedLength() async {
        // In a process of its own, whose memory is of this test alone.
        await #expect(processExitsWith: .success) {
            let before = Probe.residentMemory
            var children: [ChildProcess] = []
            for _ in 0..<20 {
                let child = try Fixture.raw(
                    BadPeerTests.hello + BadPeerTests.header(262_000, 0x10) + [0x22], then: "sleep")
                child.onMessage { _ in }
                children.append(child)
            }
            // Each has read what there is when an echo that was started later has answered.
            let echo = try Fixture.fork("echo")
            var answers = echo.messages.makeAsyncIterator()
            try await echo.send(1)
            _ = await answers.next()
            #expect(Probe.residentMemory - before < 100 << 20)
            for child in children + [echo] { child.kill(.kill) }
            for child in children { try await closed(child) }
        }
    }

    @Test("6: the child is told why the parent gave the channel up")
    func abortReachesThePeer() async throws {
        // A message longer than the parent said it reads: a Swift child refuses to send one, so this one is made by
        // hand.
        var options = ChildProcess.Options()
        options.maximumMessageSize = 65_536
        options.standardOutput = .null
        // It ends with a stack trace.
        options.standardError = .null
        let child = try Fixture.fork("large", "1", "70000", "exit", options: options)
        let recorder = Recorder(child)
        try await closed(child)
        // The child's send throws, which ends it: nothing too long ever leaves.
        #expect(recorder.messages == [])
        #expect(recorder.errors == [])
        #expect(child.exitStatus != .exited(code: 0))
    }

    // MARK: The Node dialect

    /// What a child writes to a channel of lines, and what its parent hears before the end.
    static let lines: [(bytes: [UInt8], entries: [Recorder.Entry])] = [
        (Array("{bad\n1\n".utf8), [.error(.invalidMessage), .message(1)]),
        (Array("1\n\n2\n".utf8), [.message(1), .error(.invalidMessage), .message(2)]),
        ([0, 0, 0, 10, 0x31, 10], [.error(.invalidMessage), .message(1)]),
        (Array("\"\\ud800\"\n1\n".utf8), [.error(.invalidMessage), .message(1)]),
        ([0x22, 0xff, 0x22, 10], [.error(.invalidMessage)]),
        (Array("1\n\"half".utf8), [.message(1), .error(.protocolViolation)]),
        ([UInt8](repeating: 0x20, count: 5000), [.error(.protocolViolation)]),
        (Array(String(repeating: "[", count: 1000).utf8) + [10], [.error(.invalidMessage)]),
        (
            Array(
                """
                {"cmd":"NODE_HANDLE_ACK"}
                {"cmd":"NODE_HANDLE_NACK"}
                {"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}
                {"cmd":"NODE_CLUSTER","act":"exit"}
                {"cmd":"NODE_SOCKET_GET_COUNT","key":7}

                """.utf8), []
        ),
    ]

    @Test(
        "6: bad lines in the Node dialect are errors or nothing, and the parent's other children notice nothing",
        arguments: lines)
    func badLines(_ line: (bytes: [UInt8], entries: [Recorder.Entry])) async throws {
        let sibling = try Fixture.fork("echo")
        let answers = Recorder(sibling)
        var options = ChildProcess.Options()
        options.dialect = .node
        options.maximumMessageSize = 4096
        let digits = line.bytes.map { String(format: "%02x", $0) }.joined()
        let child = try ChildProcess.fork(path: Fixture.raw, arguments: ["-1", "exit", digits], options: options)
        let recorder = Recorder(child)
        try await closed(child)
        let end: [Recorder.Entry] = [.disconnect, .exit(.exited(code: 0)), .close]
        #expect(recorder.all == [.spawn] + line.entries + end)
        try sibling.enqueue("still here")
        try await eventually("the sibling's answer") { answers.messages == ["still here"] }
        sibling.kill(.kill)
    }
}
