import Fork
import Foundation
import Logging
import Reactor
import TestSupport
import Testing

/// The close event of children with pipes, and what remains of them.
@Suite("Streams and the close event")
struct StreamCloseTests {
    private func expectEnd(_ recorder: Recorder, _ status: ChildProcess.ExitStatus = .exited(code: 0)) {
        #expect(recorder.all == [.spawn, .disconnect, .exit(status), .close])
    }

    @Test("close comes after the end of an output that somebody reads, once")
    func readOutput() async throws {
        let (child, output) = try Script.piped("head -c 1000000 /dev/zero")
        let recorder = Recorder(child)
        var iterator = output.makeAsyncIterator()
        var count = try #require(await iterator.next()).count
        // Until the rest is read the child waits, then it ends, and its last bytes wait here.
        while count < 1_000_000 - 50_000, let chunk = await iterator.next() { count += chunk.count }
        _ = try await within { try await child.waitForExit() }
        try await eventually("the exit event") { recorder.all.contains(.exit(.exited(code: 0))) }
        if count < 1_000_000 { #expect(!recorder.all.contains(.close)) }
        while let chunk = await iterator.next() { count += chunk.count }
        #expect(count == 1_000_000)
        try await closed(child)
        expectEnd(recorder)
    }

    @Test("bytes that a consumer has still to take hold the close event back for as long as they are there")
    func slowConsumer() async throws {
        let (child, input, output) = try Script.fed("echo 1; read line; echo 2")
        let recorder = Recorder(child)
        var iterator = output.makeAsyncIterator()
        #expect(await iterator.next() == Array("1\n".utf8))
        try await input.write("go on\n")
        try await eventually("the exit event") { recorder.all.contains(.exit(.exited(code: 0))) }
        // Longer than an output that nobody reads is waited for.
        try await Task.sleep(for: .milliseconds(1300))
        #expect(!recorder.all.contains(.close))
        #expect(await iterator.next() == Array("2\n".utf8))
        #expect(await iterator.next() == nil)
        try await closed(child)
        expectEnd(recorder)
    }

    /// How long after the exit event of a child its close event comes. The child ends after `end`, or when it likes:
    /// its exit event may then have come before it could be looked at.
    private func delayOfClose(
        _ child: ChildProcess, end: () async throws -> Void = {}
    ) async throws -> Duration {
        let exit = Locked<ContinuousClock.Instant?>(nil)
        let close = Locked<ContinuousClock.Instant?>(nil)
        child.onExit { _ in exit.withLock { $0 = .now } }
        child.onClose { close.withLock { $0 = .now } }
        try await end()
        try await closed(child)
        return try #require(exit.withLock { $0 }).duration(to: #require(close.withLock { $0 }))
    }

    @Test("an output that nobody reads holds close back for a moment, and its bytes stay for whoever comes later")
    func unreadOutput() async throws {
        let (child, input, output) = try Script.fed("read line; echo unread")
        let recorder = Recorder(child)
        #expect(try await delayOfClose(child) { try await input.write("end\n") } > .milliseconds(900))
        expectEnd(recorder)
        #expect(try await within { try await output.collect(upTo: 10) } == Array("unread\n".utf8))
        try await Task.sleep(for: .milliseconds(10))
        expectEnd(recorder)
    }

    @Test(
        "an output that is empty holds nothing back, though somebody may read it or nobody does",
        arguments: [true, false])
    func emptyOutput(_ isRead: Bool) async throws {
        let (child, output) = try Script.piped("exit 0")
        var iterator = isRead ? output.makeAsyncIterator() : nil
        #expect(try await delayOfClose(child) < .milliseconds(900))
        if isRead { #expect(await iterator?.next() == nil) }
    }

    @Test("a consumer that comes within the moment is waited for, and one that leaves is not")
    func consumersThatComeAndGo() async throws {
        let (child, output) = try Script.piped("echo 1; echo 2")
        let lines = Locked<ChildOutput.Lines.AsyncIterator?>(nil)
        child.onExit { _ in lines.withLock { $0 = output.lines.makeAsyncIterator() } }
        let recorder = Recorder(child)
        try await eventually("the exit event") { recorder.all.contains(.exit(.exited(code: 0))) }
        // Longer than an output that nobody reads is waited for.
        try await Task.sleep(for: .milliseconds(1300))
        #expect(recorder.all.last == .exit(.exited(code: 0)))
        lines.withLock { $0 = nil }
        try await closed(child)
        expectEnd(recorder)
    }

    @Test("a grandchild keeps a consumed output going, and close waits for it, though nobody keeps the child")
    func grandchildWithConsumer() async throws {
        let (lines, recorder, pid) = try await childWithHeldOutput()
        try await eventually("the exit event") { recorder.all.contains(.exit(.exited(code: 0))) }
        // Longer than an output that nobody reads is waited for.
        try await Task.sleep(for: .milliseconds(1300))
        #expect(!recorder.all.contains(.close))
        kill(pid, SIGKILL)
        try await eventually("the close event") { recorder.all.contains(.close) }
        expectEnd(recorder)
        var rest = lines
        #expect(await rest.next() == nil)
    }

    /// A consumer of an output that is a grandchild's now, what happens to the child that nobody keeps, and the number
    /// of the grandchild.
    private func childWithHeldOutput() async throws -> (ChildOutput.Lines.AsyncIterator, Recorder, Int32) {
        let (child, output) = try Script.piped("sleep 60 & echo $!")
        let recorder = Recorder(child)
        var lines = output.lines.makeAsyncIterator()
        let pid = try #require(await lines.next().flatMap { Int32($0) })
        _ = try await child.waitForExit()
        return (lines, recorder, pid)
    }

    @Test("a grandchild with an output that nobody reads does not hold close back")
    func grandchildWithoutConsumer() async throws {
        let (child, output) = try Script.piped("sleep 60 & echo $!")
        let recorder = Recorder(child)
        let line = await firstLine(output)
        try await closed(child)
        expectEnd(recorder)
        let pid = try #require(line.flatMap { Int32($0) })
        kill(pid, SIGKILL)
    }

    private func firstLine(_ output: ChildOutput) async -> String? {
        var lines = output.lines.makeAsyncIterator()
        return await lines.next()
    }

    @Test("forwarded lines are logged with the child's number and the stream, all of them before the close event")
    func forwarding() async throws {
        let journal = LogJournal()
        let logger = Logger(label: "child") { _ in JournalHandler(journal: journal) }
        let child = try Script.fork("echo out; printf 'a\\r\\nlast' >&2; echo further >&6") {
            ($0.standardOutput, $0.standardError, $0.outputs[6]) = (.pipe, .pipe, .pipe)
        }
        child.standardOutput?.forwardLines(to: logger)
        child.standardError?.forwardLines(to: logger, level: .error)
        child.output(6)?.forwardLines(to: logger, level: .debug)
        child.onClose { journal.append("close") }
        try await closed(child)
        try await eventually("the handler") { journal.entries.last == "close" }
        let expected = [
            "info \(child.pid) stdout out", "error \(child.pid) stderr a", "error \(child.pid) stderr last",
        ]
        #expect(journal.entries.dropLast().sorted() == (expected + ["debug \(child.pid) 6 further"]).sorted())
    }

    @Test("forwarding needs nobody to keep anything, and can be cancelled")
    func forwardingAlone() async throws {
        let journal = LogJournal()
        let logger = Logger(label: "child") { _ in JournalHandler(journal: journal) }
        do {
            let (_, output) = try Script.piped("sleep 0.05; echo late")
            output.forwardLines(to: logger)
        }
        try await eventually("the line") { journal.entries.contains { $0.hasSuffix("stdout late") } }

        let (child, output) = try Script.piped("exec sleep 60")
        let task = output.forwardLines(to: logger)
        task.cancel()
        try await within { await task.value }
        child.kill(.kill)
        try await closed(child)
    }

    @Test("9: pipes leave no descriptor behind: read, unread, given up, finished or not, or of a start that failed")
    func noResidue() async throws {
        let lines = try await Fixture.runParent("stream-residue")
        #expect(lines == ["descriptors 0 threads 0", "children none"])
    }

    @Test("9: a child has no end of another's pipes")
    func notInherited() async throws {
        let first = try Fixture.fork("mute", options: .silent)
        let second = try await Fixture.report(Fixture.fork("report"))
        let numbers = second["descriptors"]?.arrayValue?.compactMap(\.integerValue) ?? []
        #expect(Set(numbers).isSubset(of: [0, 1, 2, 3, 4, 5]))
        first.kill(.kill)
    }
}

final class LogJournal: Sendable {
    private let lines = Locked<[String]>([])

    var entries: [String] { lines.withLock { $0 } }

    func append(_ line: String) {
        lines.withLock { $0.append(line) }
    }
}

/// Writes down what is logged.
struct JournalHandler: LogHandler {
    let journal: LogJournal
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(journal: LogJournal) {
        self.journal = journal
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let (pid, stream) = (event.metadata?["pid"] ?? "", event.metadata?["stream"] ?? "")
        journal.append("\(event.level) \(pid) \(stream) \(event.message)")
    }
}
