import Fork
import Foundation
import TestSupport
import Testing

@Suite("No orphans: clause 10")
struct OrphanTests {
    /// Starts the parent program, which tells the number of its child.
    private func start(_ arguments: String...) async throws -> (Foundation.Process, child: Int32) {
        let parent = Foundation.Process()
        parent.executableURL = URL(fileURLWithPath: Fixture.parent)
        parent.arguments = arguments
        let pipe = Pipe()
        parent.standardOutput = pipe
        try parent.run()
        let line = String(decoding: await blocking { pipe.fileHandleForReading.availableData }, as: UTF8.self)
        return (parent, try #require(Int32(line.trimmingCharacters(in: .whitespacesAndNewlines))))
    }

    @Test("10: a child whose parent is killed hears a disconnect, and one that only serves ends by itself")
    func parentKilled() async throws {
        let mark = FileManager.default.temporaryDirectory.appendingPathComponent("fork-orphan-\(UUID())").path
        defer { for suffix in ["", ".served"] { try? FileManager.default.removeItem(atPath: mark + suffix) } }
        let (parent, child) = try await start("orphan", mark)
        #expect(Probe.isRunning(child))

        kill(parent.processIdentifier, SIGKILL)
        await blocking { parent.waitUntilExit() }
        try await eventually("the end of the orphan") { !Probe.isRunning(child) }
        #expect(FileManager.default.fileExists(atPath: mark), "the child's onDisconnect was not called")
        #expect(FileManager.default.fileExists(atPath: mark + ".served"), "the child's serve() did not return")
    }

    @Test("option parentDeathSignal: the kernel ends a child that hears of nothing, with its parent")
    func parentDeathSignal() async throws {
        let (parent, child) = try await start("tie")
        #expect(Probe.isRunning(child))
        kill(parent.processIdentifier, SIGKILL)
        await blocking { parent.waitUntilExit() }
        try await eventually("the end of the tied child") { !Probe.isRunning(child) }
    }

    @Test("10: a program that nobody forked says so, and how to start it, and does not hang")
    func unforked() async throws {
        let lines = try await Fixture.runParent("unforked")
        #expect(lines.count == 2)
        #expect(lines.first?.contains("ChildProcess.fork(path:)") == true)
        #expect(lines.first?.contains("notForked") == true)
        #expect(lines.last == "forked false connected false")
    }

    @Test("10: a child that has closed its channel itself ends, and one that has closed its loop's descriptors too")
    func closedDescriptors() async throws {
        var options = ChildProcess.Options()
        options.timeout = .seconds(60)
        let channel = try Fixture.fork("close-descriptors", "3", options: options)
        try channel.enqueue("go")
        #expect(try await within { try await channel.waitForExit() } == .exited(code: 0))
        // It traps, and says so.
        options.standardError = .null
        let everything = try Fixture.fork("close-descriptors", "63", options: options)
        try everything.enqueue("go")
        let status = try await within { try await everything.waitForExit() }
        // A trap, not the signal of the timeout.
        guard case .signaled(let signal, _) = status, signal != .terminate, signal != .kill else {
            Issue.record("It has \(status)")
            return
        }
    }
}
