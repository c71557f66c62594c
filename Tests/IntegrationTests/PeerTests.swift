import Fork
import Foundation
import SystemPackage
import Testing

/// The reference peers of `Protocols/`, as children of this package.
@Suite("Reference peers")
struct PeerTests {
    enum Peer: String, CaseIterable, CustomTestStringConvertible {
        case python, javascript

        var testDescription: String { rawValue }
        var isHere: Bool { self == .python ? Runtime.hasPython : Runtime.hasNode }

        func fork() throws -> ChildProcess {
            var options = ChildProcess.Options()
            options.interpreter = .init(self == .python ? "python3" : "node")
            let program = self == .python ? "python/peer.py" : "javascript/peer.mjs"
            return try ChildProcess.fork(path: Runtime.protocols + "/" + program, options: options)
        }

        /// Those that this machine has; where all are required, those that it does not have fail.
        static let present = allCases.filter { $0.isHere || Runtime.isRequired }
    }

    @Test(
        "python3 and node are there",
        .enabled(if: Peer.present == Peer.allCases, "one is not on the PATH, and its tests are left out"))
    func present() {
        #expect(Runtime.hasPython && Runtime.hasNode)
    }

    @Test("values, bytes and long messages come back as they were sent", arguments: Peer.present)
    func echo(_ peer: Peer) async throws {
        let child = try peer.fork()
        let recorder = Recorder(child)
        let values: [JSON] = [
            .null, true, 0, -1, 1.5, -0.0, "", "\u{0}🐢", [], [:], .integer(.min), .integer(.max), .unsigned(.max),
            ["a": [1, ["b": .null]], "\u{0}": 1, "z": 1, "y": 2], .string(String(repeating: "ü", count: 3 << 20)),
        ]
        for value in values { try child.enqueue(value) }
        _ = try child.sendBytesNow((0...255).map { UInt8($0) })
        _ = try child.sendBytesNow([UInt8](repeating: 7, count: 3 << 20))
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == values)
        #expect(recorder.all.contains(.bytes(256)) && recorder.all.contains(.bytes(3 << 20)))
        #expect(recorder.all.suffix(3) == [.disconnect, .exit(.exited(code: 0)), .close])
    }

    @Test("ten thousand messages each way arrive in order", arguments: Peer.present)
    func many(_ peer: Peer) async throws {
        let child = try peer.fork()
        let recorder = Recorder(child)
        for number in 0..<10_000 { try child.enqueue(number) }
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == (0..<10_000).map { JSON.integer($0) })
    }

    @Test(
        "handles go to Python and come back with their messages", .enabled(if: Runtime.hasPython || Runtime.isRequired))
    func handles() async throws {
        let child = try Peer.python.fork()
        var messages = child.messages.makeAsyncIterator()
        for number in 0..<Int64(40) {
            let file = try FileDescriptor.open("/dev/zero", .readOnly)
            let other = try FileDescriptor.open("/dev/null", .readOnly)
            try child.enqueue(number, handles: Handles(owning: file, other))
            try child.enqueue("plain")
        }
        for number in 0..<Int64(40) {
            let message = try #require(await messages.next())
            #expect(message.json == .integer(number) && message.handleCount == 2)
            let first = message.takeHandle()?.take()
            #expect(try first?.path == "/dev/zero")
            try first?.close()
            let plain = await messages.next()
            #expect(plain?.json == "plain" && plain?.handleCount == 0)
        }
        child.kill(.kill)
    }

    @Test(
        "a peer that takes no handles is not sent any, once it has said so",
        .enabled(if: Runtime.hasNode || Runtime.isRequired))
    func noHandles() async throws {
        let child = try Peer.javascript.fork()
        var messages = child.messages.makeAsyncIterator()
        try child.enqueue(1)
        _ = await messages.next()
        let error = #expect(throws: ForkError.self) {
            try child.enqueue(1, handles: Handles(duplicating: .standardInput))
        }
        #expect(error?.code == .notSupported)
        child.kill(.kill)
    }
}

extension FileDescriptor {
    /// What the descriptor refers to.
    fileprivate var path: String {
        get throws { try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(rawValue)") }
    }
}

extension ChildProcess {
    fileprivate func sendBytesNow(_ bytes: [UInt8]) throws -> Bool { try send(bytes: bytes) }
}
