import Fork
import Foundation
import Logging
import Reactor
import TestSupport
import Testing

import class TestSupport.Journal

@Suite("Errors that nobody hears")
struct UnhandledErrorTests {
    /// The lines that a program writes to its standard error, run with these arguments.
    private func errors(of behaviour: String...) async throws -> [String] {
        try await blocking {
            Result {
                let process = Foundation.Process()
                process.executableURL = URL(fileURLWithPath: Fixture.parent)
                process.arguments = behaviour
                let pipe = Pipe()
                process.standardError = pipe
                process.standardOutput = FileHandle.nullDevice
                try process.run()
                let output = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
            }
        }.get()
    }

    @Test("a message that does not fit the type of its handler is one line on standard error, in parent and child")
    func printed() async throws {
        let lines = try await errors(of: "misfits", "1", "print")
        #expect(lines.count == 2)
        #expect(lines.contains { $0.hasPrefix("swift-fork, parent of child ") && $0.contains("child.onError") })
        #expect(lines.contains { $0.hasPrefix("swift-fork, in child ") && $0.contains("Process.onError") })
        for line in lines {
            #expect(line.contains("invalidMessage"))
            #expect(line.contains("Int") && line.contains("text 0") && line.contains("onError"))
        }
    }

    @Test("after sixteen errors nothing more is written")
    func bounded() async throws {
        #expect(try await errors(of: "misfits", "100", "print").count == 32)
    }

    @Test("nothing is written for errors that are to be ignored, or that a handler hears")
    func silenced() async throws {
        #expect(try await errors(of: "misfits", "10", "ignore") == [])
        #expect(try await errors(of: "misfits", "10", "handle") == [])
    }

    @Test("errors that nobody hears go to a logger, with the child's number")
    func logged() async throws {
        let journal = LogJournal()
        var options = ChildProcess.Options()
        options.unhandledErrors = .log(to: Logger(label: "test") { _ in JournalHandler(journal: journal) })
        let child = try Fixture.fork("burst", "2", "return", options: options)
        child.onMessage(of: String.self) { _ in }
        try await closed(child)
        #expect(journal.entries.count == 2)
        #expect(journal.entries.allSatisfy { $0.hasPrefix("error \(child.pid)") && $0.contains("String") })
    }

    @Test("a child that ended and never took a message is an error that asks whether it serves")
    func neverServed() async throws {
        let child = try Fixture.fork("forgets-to-serve")
        let recorder = Recorder(child)
        let messages = Journal<String>()
        child.onError { messages.append($0.message) }
        // It waits for the signal by then.
        try await eventually("the child's message") { recorder.messages == ["before"] }
        try child.enqueue("question")
        child.kill(Signal(rawValue: 10))
        try await closed(child)
        #expect(
            recorder.all == [
                .spawn, .message("before"), .error(.notTaken), .disconnect, .exit(.exited(code: 0)), .close,
            ])
        #expect(messages.entries.first?.contains("Process.serve()") == true)
    }

    @Test("a child that serves without a handler is told the same, though it ends by itself")
    func servedWithoutHandler() async throws {
        let child = try Fixture.fork("serves-nothing")
        let recorder = Recorder(child)
        try child.enqueue("question")
        child.disconnect()
        try await closed(child)
        #expect(recorder.all == [.spawn, .error(.notTaken), .disconnect, .exit(.exited(code: 0)), .close])
    }

    @Test("a program that does not speak is an error at its end if something was sent to it, and none otherwise")
    func doesNotSpeak() async throws {
        for (isSent, dialect) in [(true, ChildProcess.Dialect.native), (true, .node), (false, .native), (false, .node)]
        {
            var options = ChildProcess.Options()
            options.dialect = dialect
            let child = try ChildProcess.fork(path: "/bin/sleep", arguments: ["0.05"], options: options)
            let recorder = Recorder(child)
            if isSent { try child.enqueue("anybody there?") }
            try await closed(child)
            #expect(recorder.errors == (isSent ? [.notTaken] : []))
            #expect(recorder.all.suffix(2) == [.exit(.exited(code: 0)), .close])
        }
    }

    @Test("a child that is killed, and one that took some of its messages, are not asked whether they serve")
    func otherEnds() async throws {
        let killed = try Fixture.fork("mute")
        let first = Recorder(killed)
        try killed.enqueue(1)
        killed.kill(.kill)
        try await closed(killed)
        #expect(first.errors == [])

        let leaves = try Fixture.fork("exit-in-handler")
        let second = Recorder(leaves)
        for number in 0..<10 { try leaves.enqueue(number) }
        try await closed(leaves)
        #expect(second.errors == [])
        #expect(leaves.exitStatus == .exited(code: 5))
    }
}
