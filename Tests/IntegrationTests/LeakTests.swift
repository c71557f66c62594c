import Fork
import Foundation
import TestSupport
import Testing

@Suite("No leaks: clause 9", .serialized)
struct LeakTests {
    @Test("9: two hundred children started and ended in a row leave no descriptor, no thread and no zombie")
    func noResidue() async throws {
        // In a program of its own, where no other test has anything open.
        let lines = try await Fixture.runParent("residue")
        #expect(lines == ["descriptors 0 threads 0", "children none"])
    }

    @Test("9: a child finds its standard streams and its channel, and no descriptor of its parent more")
    func noInheritedDescriptors() async throws {
        // As other libraries do: inheritable.
        let leaky = (0..<5).map { _ in open("/dev/null", O_RDONLY) }
        defer { for descriptor in leaky { close(descriptor) } }
        let report = try await Fixture.report(Fixture.fork("report"))
        let descriptors = report["descriptors"]?.arrayValue?.compactMap(\.integerValue) ?? []
        // 4 and 5 are the child's own loop.
        #expect(Set(descriptors).isSubset(of: [0, 1, 2, 3, 4, 5]))
        #expect(report["channelIsCloseOnExec"] == true)
        #expect(report["isForked"] == true)
    }

    @Test("9: a child's signal mask is empty and its dispositions are the default, whatever the parent's are")
    func signals() async throws {
        var blocked = sigset_t()
        var before = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGUSR1)
        sigaddset(&blocked, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        let old = signal(SIGUSR2, SIG_IGN)
        let child = try Fixture.fork("report")
        signal(SIGUSR2, old)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        let report = try await Fixture.report(child)
        #expect(report["status"]?["SigBlk"] == "0000000000000000")
        #expect(report["status"]?["SigIgn"] == "0000000000000000")
    }

    @Test("9: the variable that names the channel is gone from the child's environment")
    func channelVariable() async throws {
        var options = ChildProcess.Options()
        options.environment = .custom(["ONLY": "this", "EMPTY": ""])
        let report = try await Fixture.report(Fixture.fork("report", options: options))
        #expect(report["environment"] == ["ONLY": "this", "EMPTY": ""])
    }

    @Test("9: the environment can be inherited with changes")
    func environmentChanges() async {
        // In a process of its own: another test may be reading the environment.
        await #expect(processExitsWith: .success) {
            setenv("FORK_TEST_KEPT", "kept", 1)
            setenv("FORK_TEST_REMOVED", "removed", 1)
            setenv("FORK_TEST_CHANGED", "before", 1)
            var options = ChildProcess.Options()
            options.environment = .inheritUpdating(["FORK_TEST_REMOVED": nil, "FORK_TEST_CHANGED": "a=b"])
            let environment = try await Fixture.report(Fixture.fork("report", options: options))["environment"]
            #expect(environment?["FORK_TEST_KEPT"] == "kept")
            #expect(environment?["FORK_TEST_REMOVED"] == nil)
            #expect(environment?["FORK_TEST_CHANGED"] == "a=b")
        }
    }

    @Test("9: variables that are not UTF-8 are inherited as they are")
    func environmentBytes() async {
        // In a process of its own: another test may be reading the environment.
        await #expect(processExitsWith: .success) {
            let bytes: [CChar] = [-1, -2, 0x41, 0]
            setenv("FORK_TEST_BYTES", bytes, 1)
            var options = ChildProcess.Options()
            options.interpreter = .init("/bin/sh")
            options.environment = .inheritUpdating(["FORK_TEST_OTHER": "x"])
            let script = FileManager.default.temporaryDirectory.appendingPathComponent("fork-bytes-\(UUID()).sh").path
            defer { try? FileManager.default.removeItem(atPath: script) }
            try "[ \"$(printf %s \"$FORK_TEST_BYTES\" | od -An -tx1 | tr -d ' ')\" = fffe41 ]".write(
                toFile: script, atomically: true, encoding: .utf8)
            let child = try ChildProcess.fork(path: script, options: options)
            #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        }
    }

    @Test(
        "9: arguments and working directory arrive as they were given; a relative path starts at the parent's directory"
    )
    func argumentsAndDirectory() async throws {
        var options = ChildProcess.Options()
        options.workingDirectory = "/usr"
        let arguments = ["report", "", "with space", "ünï", "-x"]
        let child = try ChildProcess.fork(path: relativePath(of: Fixture.child), arguments: arguments, options: options)
        let report = try await Fixture.report(child)
        #expect(report["directory"] == "/usr")
        #expect(report["arguments"]?.arrayValue?.dropFirst().compactMap(\.stringValue) == arguments)
    }

    private func relativePath(of path: String) -> String {
        let ups = FileManager.default.currentDirectoryPath.split(separator: "/").map { _ in ".." }
        return ups.joined(separator: "/") + path
    }

    @Test("9: sending to a child that has gone throws at once, raises no SIGPIPE, and leaves the parent well")
    func sendingToAChildThatHasGone() async throws {
        let child = try Fixture.fork("mute")
        child.kill(.kill)
        #expect(try await within { try await child.waitForExit() } == .signaled(.kill, coreDumped: false))
        try await eventually("the channel's end") { !child.isConnected }
        let error = #expect(throws: ForkError.self) { try child.enqueue(1) }
        #expect(error?.code == .disconnected)
        #expect(!child.kill())
    }

    @Test(
        "9: a host that reaps every child by SIGCHLD loses no message, and its children end in an unknown way at worst"
    )
    func hostWithHandler() async throws {
        let lines = try await Fixture.runParent("sigchld", "handler")
        #expect(lines.count == 20)
        for line in lines { #expect(line == "10 exited with code 7" || line == "10 ended in an unknown way") }
    }

    @Test("9: so does a host that ignores SIGCHLD")
    func hostThatIgnores() async throws {
        let lines = try await Fixture.runParent("sigchld", "ignore")
        #expect(lines == .init(repeating: "10 ended in an unknown way", count: 20))
    }

    @Test("9: a grandchild that holds the channel open delays neither the messages nor the exit event")
    func grandchild() async throws {
        let child = try Fixture.fork("hold")
        let recorder = Recorder(child)
        try await closed(child)
        let grandchild = recorder.messages.first?["grandchild"]?.integerValue
        #expect(recorder.messages.last == "last words")
        #expect(recorder.all.suffix(3) == [.disconnect, .exit(.exited(code: 3)), .close])
        let pid = try #require(grandchild.flatMap { Int32(exactly: $0) })
        #expect(Probe.isRunning(pid))
        kill(pid, SIGKILL)
    }
}
