import Fork
import Foundation
import SystemPackage
import TestSupport
import Testing

/// The stock runtimes that tests talk to.
enum Runtime {
    static let hasNode = isInPath("node")
    static let hasPython = isInPath("python3")
    /// Where every runtime has to be there, its tests fail without it instead of being skipped.
    static let isRequired = ProcessInfo.processInfo.environment["FORK_STRICT"] != nil

    static func isInPath(_ name: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }

    /// Runs a program of the PATH to its end, and returns its exit code and output.
    static func run(_ program: String, _ arguments: [String]) async throws -> (code: Int32, output: String) {
        let process = Foundation.Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "120", program] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = await blocking {
            defer { process.waitUntilExit() }
            return pipe.fileHandleForReading.readDataToEndOfFile()
        }
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// Where the JavaScript of the tests lies, and where the reference peers do.
    static let scripts = folder("../Fixtures/JavaScript")
    static let protocols = folder("../../Protocols")

    private static func folder(_ path: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(path).standardized.path
    }
}

/// Stock Node.js, as the child of this package.
@Suite("Node.js as a child", .enabled(if: Runtime.hasNode || Runtime.isRequired, "there is no node on the PATH"))
struct NodeTests {
    private static func fork(
        _ behaviour: String..., options: ChildProcess.Options = .node()
    ) throws -> ChildProcess {
        try ChildProcess.fork(path: Runtime.scripts + "/child.js", arguments: behaviour, options: options)
    }

    @Test("every kind of value goes there and back")
    func values() async throws {
        let child = try Self.fork("echo")
        let values: [JSON] = [
            .null, true, false, 0, -1, 1.5, "", "x", [], [:], 9_007_199_254_740_992, -9_007_199_254_740_992, 1e308,
            [
                "a": [1, ["b": .null]], "\u{0}": "\u{0}\u{1}\u{1f}\u{7f}",
                "ü": "\u{2028}\u{2029}\u{feff}\u{fffd}\u{10ffff}",
            ],
            "\n\r\t\\\"/", "🐢👩‍👩‍👧‍👦e\u{301}é", ["cmd": "node"], ["cmd": "NODE_"], ["cmd": 1], ["NODE_HANDLE": 1],
        ]
        for value in values { try child.enqueue(value) }
        let messages = child.messages
        let answers = try await within {
            var answers: [JSON] = []
            for await message in messages {
                answers.append(message.json)
                if answers.count == values.count { break }
            }
            return answers
        }
        #expect(answers == values)
        #expect(await child.shutdown(within: patience) == .disconnect)
    }

    @Test("a hundred thousand messages each way arrive in order")
    func many() async throws {
        let child = try Self.fork("echo")
        let count = 100_000
        let answers = child.messages(of: Int.self)
        let sender = Task {
            for number in 0..<count { try await child.send(number) }
        }
        let received = try await within {
            var next = 0
            for try await number in answers {
                guard number == next else { break }
                next += 1
                if next == count { break }
            }
            return next
        }
        try await sender.value
        #expect(received == count)
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("a message of 16 MB goes there and back")
    func large() async throws {
        let child = try Self.fork("echo")
        var answers = child.messages.makeAsyncIterator()
        let text = String(repeating: "0123456789abcdeü", count: 1 << 20)
        try child.enqueue(text)
        let answer = await answers.next()
        #expect(answer?.json == .string(text))
        child.kill(.kill)
    }

    @Test(
        "what reached the kernel before a child called process.exit arrives before its exit event",
        arguments: [50, 5000])
    func burst(_ count: Int) async throws {
        var isInOrder = false
        // Where the machine lets the test wait longer than a consumer is waited for, the messages come last, and the
        // next child is looked at.
        for _ in 0..<10 where !isInOrder {
            let child = try Self.fork("burst", "\(count)")
            // As much as the socket takes before anybody reads.
            try await eventually("the end of the child") { !Probe.isRunning(child.pid) }
            let recorder = Recorder(child)
            try await closed(child)
            // Node itself loses what the socket did not take.
            try await eventually("the messages") { recorder.messages.count >= min(count, 200) }
            isInOrder = recorder.all.suffix(3) == [.disconnect, .exit(.exited(code: 3)), .close]
            let messages = recorder.messages
            #expect(messages == (0..<messages.count).map { JSON.integer(Int64($0)) })
        }
        #expect(isInOrder)
    }

    @Test("the child's disconnect, and this side's, end the channel after what was sent")
    func disconnect() async throws {
        let child = try Self.fork("disconnect")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.all == [.spawn, .message("last"), .disconnect, .exit(.exited(code: 0)), .close])
        let other = try Self.fork("echo")
        let answers = Recorder(other)
        for number in 0..<100 { try other.enqueue(number) }
        try await eventually("the answers") { answers.messages.count == 100 }
        other.disconnect()
        try await closed(other)
        #expect(answers.all.suffix(3) == [.disconnect, .exit(.exited(code: 0)), .close])
    }

    @Test("the child finds itself forked, its arguments, and no variable of a channel")
    func environment() async throws {
        var options = ChildProcess.Options.node(arguments: ["--no-warnings"])
        options.environment = .inheritUpdating(["NODE_CHANNEL_FD": "99", "SWIFT_FORK_CHANNEL_FD": "98"])
        let child = try Self.fork("report", "a b", options: options)
        let report = try await Fixture.report(child)
        #expect(report == ["arguments": ["report", "a b"], "variables": [], "connected": true])
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("80 connections among plain messages each reach a child that answers on them")
    func handles() async throws {
        let child = try Self.fork("handles")
        let recorder = Recorder(child)
        var sockets: [FileDescriptor] = []
        var wanted: [JSON] = []
        for number in 0..<Int64(80) {
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            sockets.append(FileDescriptor(rawValue: ends[0]))
            let handles = Handles(owning: FileDescriptor(rawValue: ends[1]))
            try child.enqueue(["number": .integer(number)] as JSON, handles: handles)
            try child.enqueue(1000 + number)
            wanted += [["socket": ["number": .integer(number)]], ["plain": .integer(1000 + number)]]
        }
        for (number, socket) in sockets.enumerated() {
            let text = try await within { await Handle(owning: socket).readToEnd() }
            #expect(text == "node got \(number)")
        }
        try await eventually("all answers") { recorder.messages.count == wanted.count }
        #expect(recorder.messages == wanted)
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test(
        "connections reach a child also where nobody listens to its messages, which are there for whoever comes later")
    func handlesWithoutConsumer() async throws {
        let child = try Self.fork("handles")
        for number in 0..<Int64(20) {
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            let socket = FileDescriptor(rawValue: ends[0])
            let handles = Handles(owning: FileDescriptor(rawValue: ends[1]))
            try child.enqueue(["number": .integer(number)] as JSON, handles: handles)
            let text = try await within { await Handle(owning: socket).readToEnd() }
            #expect(text == "node got \(number)")
        }
        let recorder = Recorder(child)
        try await eventually("all answers") { recorder.messages.count == 20 }
        #expect(recorder.messages == (0..<20).map { ["socket": ["number": .integer($0)]] })
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("connections that a child sends arrive with their messages, among plain ones, and are this side's")
    func handlesFromChild() async throws {
        let child = try Self.fork("connections", "80")
        let messages = child.messages
        let (numbers, answers) = try await within {
            var numbers: [JSON] = []
            var answers: [String] = []
            for await message in messages {
                if let handle = message.takeHandle() {
                    _ = try handle.fileDescriptor.writeAll("swift got \(message.json["number"] ?? .null)".utf8)
                    numbers.append(message.json)
                } else if let answer = message.json["answer"]?.stringValue {
                    answers.append(answer)
                } else {
                    numbers.append(message.json)
                }
                if numbers.count == 160, answers.count == 80 { break }
            }
            return (numbers, answers)
        }
        #expect(numbers == (0..<80).flatMap { [["number": .integer($0)], ["plain": .integer($0)]] as [JSON] })
        #expect(Set(answers) == Set((0..<80).map { "swift got \($0)" }))
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("a listening socket goes to a child, which serves its connections, and comes back")
    func listener() async throws {
        let child = try Self.fork("return")
        var messages = child.messages.makeAsyncIterator()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #expect(listen(listener, 4) == 0)
        try child.enqueue("server", handles: Handles(owning: FileDescriptor(rawValue: listener)))
        let message = try #require(await messages.next())
        #expect(message.json == "server" && message.handleCount == 1)
        let number = message.takeHandle()?.take().rawValue ?? -1
        var isListening: Int32 = 0
        var size = socklen_t(4)
        getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size)
        #expect(isListening == 1)
        close(number)
        child.kill(.kill)
    }

    @Test("what Node.js could not read as it was meant is refused where it is sent")
    func refused() async throws {
        let child = try Self.fork("echo")
        func code(_ body: () throws -> Void) -> ForkError.Code? {
            do { try body() } catch let error as ForkError { return error.code } catch {}
            return nil
        }
        #expect(code { try child.enqueue(Int64.max) } == .notEncodable)
        #expect(code { try child.enqueue(["x": [UInt64.max]]) } == .notEncodable)
        #expect(code { try child.enqueue(["cmd": "NODE_HANDLE_ACK"]) } == .notEncodable)
        #expect(code { _ = try child.send(bytes: [1]) } == .notSupported)
        let file = try FileDescriptor.open("/dev/null", .readOnly)
        #expect(code { _ = try child.send(1, handles: Handles(owning: file)) } == .notSupported)
        var answers = child.messages.makeAsyncIterator()
        // Not beyond what a double can be: a power of two, and digits in a string.
        for value in [1_152_921_504_606_846_976, "9007199254740993", ["x": "NODE_"]] as [JSON] {
            try child.enqueue(value)
            let answer = await answers.next()
            #expect(answer?.json == value)
        }
        child.kill(.kill)
    }
}

/// Stock Node.js as the parent of a Swift child, which knows nothing of it.
@Suite("Node.js as a parent", .enabled(if: Runtime.hasNode || Runtime.isRequired, "there is no node on the PATH"))
struct NodeParentTests {
    @Test(
        "a scenario goes as it should",
        arguments: [
            ["echo"], ["many", "100000"], ["large"], ["burst"], ["report"], ["surrogates"], ["advanced"],
            ["handles", "80"],
            ["back"], ["last"],
        ])
    func scenario(_ arguments: [String]) async throws {
        let (code, output) = try await Runtime.run(
            "node", [Runtime.scripts + "/parent.js", Fixture.child] + arguments)
        #expect(code == 0, "\(output)")
    }
}

/// Other runtimes that speak Node's dialect as children.
@Suite("Deno and Bun as children")
struct OtherRuntimeTests {
    @Test(
        "values and a thousand numbers go there and back",
        .enabled(if: Runtime.isInPath("deno") || Runtime.isInPath("bun"), "there is neither deno nor bun on the PATH"),
        arguments: [("deno", ["run", "--allow-all"]), ("bun", [])].filter { Runtime.isInPath($0.0) })
    func conversation(_ runtime: (name: String, arguments: [String])) async throws {
        let options = ChildProcess.Options.node(runtime.name, arguments: runtime.arguments)
        let child = try ChildProcess.fork(path: Runtime.scripts + "/child.js", arguments: ["echo"], options: options)
        let values: [JSON] = [.null, true, 1.5, "🐢\u{0}\n", [], ["a": [.null]]] + (0..<1000).map { .integer($0) }
        for value in values { try child.enqueue(value) }
        let messages = child.messages
        let answers = try await within {
            var answers: [JSON] = []
            for await message in messages {
                answers.append(message.json)
                if answers.count == values.count { break }
            }
            return answers
        }
        #expect(answers == values)
        #expect(await child.shutdown() == .disconnect)
    }
}
