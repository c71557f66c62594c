import Fork
import TestSupport
import Testing

/// What a Swift child prints while its standard output is a pipe.
@Suite("Printed lines")
struct OutputTests {
    private func start(_ buffering: String, _ end: String) throws -> (child: ChildProcess, output: ChildOutput) {
        var options = ChildProcess.Options()
        options.environment = .inheritUpdating(["SWIFT_BACKTRACE": "enable=no"])
        options.standardOutput = .pipe
        let child = try Fixture.fork("print", buffering, end, options: options)
        return (child, try #require(child.standardOutput))
    }

    private func lines(_ output: ChildOutput) async throws -> [String] {
        try await within {
            var lines: [String] = []
            for await line in output.lines { lines.append(line) }
            return lines
        }
    }

    @Test("a line that was printed line by line arrives while the child goes on")
    func lineOfLivingChild() async throws {
        let (child, output) = try start("by-line", "waits")
        let line = try await within {
            var lines = output.lines.makeAsyncIterator()
            return await lines.next()
        }
        #expect(line == "last words")
        #expect(child.exitStatus == nil)
        child.kill(.kill)
        _ = try await child.waitForExit()
    }

    @Test(
        "a line that was printed line by line arrives from a child that is killed or crashes",
        arguments: ["killed", "aborted"])
    func lineOfDeadChild(_ end: String) async throws {
        let (child, output) = try start("by-line", end)
        #expect(try await lines(output) == ["last words"])
        guard case .signaled = try await child.waitForExit() else {
            Issue.record("the child has not been ended by a signal, but \(String(describing: child.exitStatus))")
            return
        }
    }

    @Test("a line in the buffer of a child that is killed is lost", arguments: ["killed"])
    func lostLine(_ end: String) async throws {
        let (_, output) = try start("by-block", end)
        #expect(try await lines(output) == [])
    }
}
