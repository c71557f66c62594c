import SystemPackage
import TestSupport
import Testing

@testable import Reactor

@Suite("Child spawner")
struct ChildSpawnerTests {
    /// A child's output on its channel, and its end.
    private struct Outcome: Equatable {
        var output: String
        var status: TerminationStatus
    }

    private static func request(
        _ path: String, _ arguments: [String] = [], environment: [String] = [], channel: consuming Descriptor
    ) -> SpawnRequest {
        SpawnRequest(
            path: FilePath(path), arguments: ([path] + arguments).map { Array($0.utf8) },
            environment: environment.map { Array($0.utf8) }, channel: channel
        )
    }

    /// Runs a shell script whose descriptor 3 is the channel, and waits for its end.
    private static func run(
        _ script: String, environment: [String] = [], _ change: (inout SpawnRequest) throws -> Void = { _ in }
    ) async throws -> Outcome {
        let (ours, process) = try System.socketPair().split { ours, theirs in
            var request = request("/bin/sh", ["-c", script], environment: environment, channel: theirs)
            try change(&request)
            let process = try ChildSpawner.spawn(request)
            return (ours.take(), process)
        }
        let output = Journal<String>()
        try Thread.start(name: "reader") { output.append(readToEnd(ours)) }
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        let ended = Journal<EndedProcess>()
        try process.watch(on: loop) { ended.append($0) }
        let text = try await output.wait(forCount: 1)[0]
        let status = try await ended.wait(forCount: 1)[0].status
        System.close(ours)
        return Outcome(output: text, status: status)
    }

    @Test("a child has its channel at descriptor 3, and ends with its exit code")
    func channel() async throws {
        #expect(try await Self.run("echo hello >&3; exit 7") == Outcome(output: "hello\n", status: .exited(code: 7)))
    }

    @Test("a child that a signal ends says which")
    func signal() async throws {
        let outcome = try await Self.run("kill -KILL $$")
        #expect(outcome.status == .signaled(.kill, coreDumped: false))
    }

    @Test("a child has the arguments and the environment that it was given, and no other")
    func environment() async throws {
        let outcome = try await Self.run(
            "/usr/bin/env | grep -v ^_= | grep -v ^PWD= | grep -v ^SHLVL= >&3", environment: ["A=1", "B=two words"])
        #expect(outcome.output.split(separator: "\n").sorted() == ["A=1", "B=two words"])
    }

    @Test("a child starts in the directory that it was given")
    func directory() async throws {
        let outcome = try await Self.run("pwd >&3") { $0.workingDirectory = try FilePath("/usr/lib").openDirectory() }
        #expect(outcome.output == "/usr/lib\n")
    }

    @Test("a child has no descriptor but its standard streams and its channel")
    func descriptors() async throws {
        // Inheritable, as other libraries leave theirs.
        let leak = try System.duplicate(1, atLeast: 200)
        makeInheritable(leak)
        defer { System.close(leak) }
        let outcome = try await Self.run("for fd in /proc/$$/fd/*; do [ -e $fd ] && echo ${fd##*/}; done >&3")
        // The shell may keep one of its own above 9 for the redirection.
        let numbers = outcome.output.split(separator: "\n").compactMap { Int($0) }
        #expect(Set(numbers).isSuperset(of: [0, 1, 2, 3]))
        #expect(numbers.filter { $0 > 3 && $0 < 10 }.isEmpty)
        #expect(!numbers.contains(Int(leak)))
    }

    @Test("a child starts with no signal blocked or ignored")
    func signals() async throws {
        let outcome = try await Self.run("grep -E '^Sig(Blk|Ign)' /proc/self/status >&3")
        #expect(outcome.output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n")
    }

    @Test("a standard stream can be the null device")
    func nullStreams() async throws {
        let outcome = try await Self.run("all=$(for n in 0 1 2; do readlink /proc/$$/fd/$n; done); echo \"$all\" >&3") {
            request in
            let null = SharedDescriptor(try System.openNull())
            request.placements = (0...2).map { .init(null, at: $0) }
        }
        #expect(outcome.output == "/dev/null\n/dev/null\n/dev/null\n")
    }

    @Test(
        "a program that can't be run is refused with the reason of the kernel",
        arguments: [
            ("/no/such/program", Errno.noSuchFileOrDirectory), ("/usr", .permissionDenied),
            ("/etc/passwd", .permissionDenied), ("/etc/passwd/x", .notDirectory),
        ])
    func refusal(_ path: String, _ reason: Errno) async throws {
        try System.socketPair().split { ours, theirs in
            let request = Self.request(path, channel: theirs)
            do throws(SpawnError) {
                _ = try ChildSpawner.spawn(request)
                Issue.record("It was run")
            } catch {
                #expect(error == SpawnError(step: .execute, errno: reason))
            }
            // Nobody holds the other end any more.
            #expect(readToEnd(ours.rawValue).isEmpty)
        }
    }

    @Test("a refused program leaves no descriptor and no process behind")
    func nothingLeft() async {
        await #expect(processExitsWith: .success) {
            let before = try await ThisProcess.settledDescriptors()
            for _ in 0..<20 {
                let result = Result {
                    try System.socketPair().split { _, theirs in
                        _ = try ChildSpawner.spawn(
                            SpawnRequest(path: "/no/such", arguments: [[0x78]], environment: [], channel: theirs))
                    }
                }
                #expect(throws: SpawnError(step: .execute, errno: .noSuchFileOrDirectory)) { try result.get() }
            }
            #expect(ThisProcess.descriptors == before)
            #expect(!hasChildren())
        }
    }

    @Test("a child that has ended and been reaped leaves no descriptor behind")
    func nothingLeftAfterChild() async {
        await #expect(processExitsWith: .success) {
            let before = try await ThisProcess.settledDescriptors()
            try System.socketPair().split { ours, theirs in
                let process = try ChildSpawner.spawn(
                    SpawnRequest(path: "/bin/true", arguments: [Array("true".utf8)], environment: [], channel: theirs))
                #expect(readToEnd(ours.rawValue).isEmpty)
                process.killAndReap()
            }
            #expect(ThisProcess.descriptors == before)
            #expect(!hasChildren())
        }
    }
}
