import Fork
import Foundation
import SystemPackage
import Testing

/// The stock runtimes that tests talk to.
enum Runtime {
    static let hasNode = isInPath("node")

    private static func isInPath(_ name: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }

    /// Where the JavaScript of the tests lies.
    static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Fixtures/JavaScript").standardized.path
}

/// Stock Node.js, as the child of this package.
@Suite("Node.js as a child", .enabled(if: Runtime.hasNode, "there is no node on the PATH"))
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
            ["a": [1, ["b": .null]], "\u{0}": "\u{0}\u{1}\u{1f}\u{7f}", "ü": "\u{2028}\u{2029}\u{feff}\u{fffd}\u{10ffff}"],
            "\n\r\t\\\"/", "🐢👩‍👩‍👧‍👦e\u{301}é", ["cmd": "node"], ["cmd": "NODE_"], ["cmd": 1], ["NODE_HANDLE": 1],
        ]
        for value in values { _ = try child.sendNow(value) }
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

    @Test("a hundred thousand messages each way arrive in order")
    func many() async throws {
        let child = try Self.fork("echo")
        let count = 100_000
        let answers = child.messages(of: Int.self)
        let sender = Task {
            for number in 0..<count { try await child.send(number) }
        }
        let received = try await within(120) {
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
        #expect(try await within { await child.exit } == .exited(code: 0))
    }

    @Test("a message of 16 MB goes there and back")
    func large() async throws {
        let child = try Self.fork("echo")
        var answers = child.messages.makeAsyncIterator()
        let text = String(repeating: "0123456789abcdeü", count: 1 << 20)
        _ = try child.sendNow(text)
        let answer = await answers.next()
        #expect(answer?.json == .string(text))
        child.kill(.kill)
    }

    @Test("what reached the kernel before a child called process.exit arrives before its exit event", arguments: [50, 5000])
    func burst(_ count: Int) async throws {
        let child = try Self.fork("burst", "\(count)")
        // As much as the socket takes before anybody reads.
        try await eventually("the end of the child") { !Probe.isRunning(child.pid) }
        let recorder = Recorder(child)
        try await closed(child)
        let messages = recorder.messages
        #expect(messages == (0..<messages.count).map { JSON.integer(Int64($0)) })
        // Node itself loses what the socket did not take.
        #expect(messages.count >= min(count, 200))
        #expect(recorder.all.suffix(3) == [.disconnect, .exit(.exited(code: 3)), .close])
    }

    @Test("the child's disconnect, and this side's, end the channel after what was sent")
    func disconnect() async throws {
        let child = try Self.fork("disconnect")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.all == [.spawn, .message("last"), .disconnect, .exit(.exited(code: 0)), .close])
        let other = try Self.fork("echo")
        let answers = Recorder(other)
        for number in 0..<100 { _ = try other.sendNow(number) }
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
        #expect(try await within { await child.exit } == .exited(code: 0))
    }

    @Test("what Node.js could not read as it was meant is refused where it is sent")
    func refused() async throws {
        let child = try Self.fork("echo")
        func code(_ body: () throws -> Void) -> ForkError.Code? {
            do { try body() } catch let error as ForkError { return error.code } catch {}
            return nil
        }
        #expect(code { _ = try child.sendNow(Int64.max) } == .notEncodable)
        #expect(code { _ = try child.sendNow(["x": [UInt64.max]]) } == .notEncodable)
        #expect(code { _ = try child.sendNow(["cmd": "NODE_HANDLE_ACK"]) } == .notEncodable)
        #expect(code { _ = try child.send(bytes: [1]) } == .notSupported)
        let file = try FileDescriptor.open("/dev/null", .readOnly)
        #expect(code { _ = try child.send(1, handles: Handles(owning: file)) } == .notSupported)
        var answers = child.messages.makeAsyncIterator()
        // Not beyond what a double can be: a power of two, and digits in a string.
        for value in [1_152_921_504_606_846_976, "9007199254740993", ["x": "NODE_"]] as [JSON] {
            _ = try child.sendNow(value)
            let answer = await answers.next()
            #expect(answer?.json == value)
        }
        child.kill(.kill)
    }
}
