import Fork
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Each option, seen from inside the child. `docs/options.md` has a row for each.
@Suite("Options")
struct OptionsTests {
    private static let isRoot = geteuid() == 0

    /// What a child says of itself that was started with these options.
    private func report(_ change: (inout ChildProcess.Options) -> Void) async throws -> JSON {
        var options = ChildProcess.Options()
        change(&options)
        return try await Fixture.report(Fixture.fork("report", options: options))
    }

    private func failure(_ change: (inout ChildProcess.Options) -> Void) throws -> ForkError {
        var options = ChildProcess.Options()
        change(&options)
        let error = #expect(throws: ForkError.self) { try Fixture.fork("report", options: options) }
        return try #require(error)
    }

    // MARK: The program

    @Test("interpreter: it is found in PATH and gets its arguments, the path, and the child's arguments")
    func interpreter() async throws {
        var options = ChildProcess.Options()
        options.interpreter = .init("env", arguments: ["A=from the interpreter"])
        let child = try ChildProcess.fork(path: Fixture.child, arguments: ["report", "x"], options: options)
        let report = try await Fixture.report(child)
        #expect(report["environment"]?["A"] == "from the interpreter")
        #expect(report["arguments"] == [.string(Fixture.child), "report", "x"])
    }

    @Test("interpreter: one that does not exist is named, by path or by name")
    func missingInterpreter() throws {
        let byName = try failure { $0.interpreter = .init("no-such-interpreter") }
        #expect(byName.message.contains("no-such-interpreter") && byName.message.contains("PATH"))
        let byPath = try failure { $0.interpreter = .init("/nowhere/interpreter") }
        #expect(byPath.errno == .noSuchFileOrDirectory)
        #expect(byPath.message.contains("/nowhere/interpreter"))
        #expect(try failure { $0.interpreter = .init("env\0") }.code == .invalidArgument)
    }

    @Test("argumentZero: the child finds it as its name")
    func argumentZero() async throws {
        let report = try await report { $0.argumentZero = "another name" }
        #expect(report["arguments"]?[0] == "another name")
    }

    // MARK: Descriptors

    @Test("channelDescriptor: the channel has the number that is asked for, and nothing has the usual one")
    func channelDescriptor() async throws {
        let report = try await report { $0.channelDescriptor = 57 }
        let descriptors = report["descriptors"]?.arrayValue?.compactMap(\.integerValue) ?? []
        #expect(descriptors.contains(57))
        #expect(Set(descriptors).isSubset(of: [0, 1, 2, 3, 4, 57]))
    }

    @Test(
        "inheritedDescriptors: the child has them under their numbers, also those marked close-on-exec, and no others")
    func inheritedDescriptors() async throws {
        let kept = open("/dev/zero", O_RDONLY | O_CLOEXEC)
        let other = open("/dev/zero", O_RDONLY)
        let high = fcntl(kept, F_DUPFD, 300)
        defer { for descriptor in [kept, other, high] { close(descriptor) } }
        let report = try await report {
            $0.inheritedDescriptors = [FileDescriptor(rawValue: high), FileDescriptor(rawValue: kept)]
            $0.channelDescriptor = 200
        }
        let descriptors = Set(report["descriptors"]?.arrayValue?.compactMap(\.integerValue) ?? [])
        #expect(descriptors.contains(Int(kept)) && descriptors.contains(Int(high)))
        // The child's own loop has two of the lowest that are free.
        #expect(descriptors.subtracting([0, 1, 2, Int(kept), Int(high), 200]).count <= 2)
    }

    @Test("inheritedDescriptors: one that is not open, a standard stream or the channel is refused")
    func badDescriptors() throws {
        for descriptor: Int32 in [2, 3, -1, .max] {
            let error = try failure { $0.inheritedDescriptors = [FileDescriptor(rawValue: descriptor)] }
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains("inheritedDescriptors"))
        }
    }

    @Test("standard streams: null is the null device")
    func nullStreams() async throws {
        let test = "for n in 0 1 2; do [ $(readlink /proc/$$/fd/$n) = /dev/null ] || exit 1; done"
        let status = try await run(test) {
            $0.standardInput = .null
            $0.standardOutput = .null
            $0.standardError = .null
        }
        #expect(status == .exited(code: 0))
    }

    /// How a shell script ends.
    private func run(_ script: String, _ change: (inout ChildProcess.Options) -> Void) async throws
        -> ChildProcess.ExitStatus
    {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("fork-script-\(UUID()).sh").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try script.write(toFile: path, atomically: true, encoding: .utf8)
        var options = ChildProcess.Options()
        options.interpreter = .init("/bin/sh")
        change(&options)
        let child = try ChildProcess.fork(path: path, options: options)
        return try await within { try await child.waitForExit() }
    }

    // MARK: Sessions and groups

    @Test("createsSession: the child leads a session and a group of its own")
    func session() async throws {
        let report = try await report { $0.createsSession = true }
        #expect(report["session"] == report["pid"])
        #expect(report["group"] == report["pid"])
    }

    @Test("processGroup: the child is in its parent's, in one of its own, or in one that exists")
    func processGroup() async throws {
        let inherited = try await report { _ in }
        #expect(inherited["group"] == .integer(Int64(getpgrp())))
        #expect(inherited["session"] == .integer(Int64(getsid(0))))
        let own = try await report { $0.processGroup = .new }
        #expect(own["group"] == own["pid"])

        var options = ChildProcess.Options()
        options.processGroup = .new
        let leader = try Fixture.fork("mute", options: options)
        let joined = try await report { $0.processGroup = .join(leader.pid) }
        #expect(joined["group"] == .integer(Int64(leader.pid)))
        leader.kill(.kill)
    }

    @Test("processGroup: a group that does not exist is refused, with the option's name")
    func missingGroup() throws {
        let error = try failure { $0.processGroup = .join(Int32.max) }
        #expect(error.code == .launchFailed)
        #expect(error.errno == .notPermitted || error.errno == .noSuchProcess)
        #expect(error.message.contains("option processGroup"))
        #expect(try failure { $0.processGroup = .join(0) }.code == .invalidArgument)
        let both = try failure {
            $0.createsSession = true
            $0.processGroup = .new
        }
        #expect(both.code == .invalidArgument)
    }

    // MARK: Identity

    @Test(
        "user: the child runs as that user, with its group and no other of root's groups",
        .enabled(if: isRoot, "only root may become another user"))
    func user() async throws {
        // Where anybody may read and run it.
        let program = try await PublicCopy(of: Fixture.child)
        for user: ChildProcess.Account in ["nobody", 65534] {
            var options = ChildProcess.Options()
            options.user = user
            let report = try await Fixture.report(
                ChildProcess.fork(path: program.path, arguments: ["report"], options: options))
            #expect(report["status"]?["Uid"] == "65534655346553465534")
            #expect(report["status"]?["Gid"] == "65534655346553465534")
            #expect(report["status"]?["Groups"] == "")
            #expect(report["status"]?["CapEff"] == "0000000000000000")
        }
    }

    @Test(
        "group and supplementaryGroups: the child has them and no others, and stays the same user",
        .enabled(if: isRoot, "only root may take other groups"))
    func groups() async throws {
        let report = try await report {
            $0.group = 1234
            $0.supplementaryGroups = [7, "daemon"]
        }
        #expect(report["status"]?["Gid"] == "1234123412341234")
        #expect(report["status"]?["Groups"] == "17" || report["status"]?["Groups"] == "71")
        #expect(report["status"]?["Uid"] == "0000")
    }

    @Test("user, group, supplementaryGroups: a name that does not exist is told, with the option")
    func missingAccounts() throws {
        let failures = [
            ("user", try failure { $0.user = "no-such-user" }),
            ("group", try failure { $0.group = "no-such-group" }),
            ("supplementaryGroups", try failure { $0.supplementaryGroups = ["no-such-group"] }),
        ]
        for (option, error) in failures {
            #expect(error.code == .launchFailed)
            #expect(error.message.contains("option \(option)") && error.message.contains("no-such"))
        }
        #expect(try failure { $0.user = "a\0b" }.code == .invalidArgument)
    }

    @Test("user: without the right to become another the start fails with the option's name and EPERM")
    func forbiddenUser() async throws {
        let lines = try await Fixture.runParent("forbidden")
        #expect(lines.count == 3)
        for (line, option) in zip(lines, ["supplementaryGroups", "group", "user"]) {
            #expect(line.contains("option \(option)") && line.contains("errno 1"), "\(line)")
        }
    }

    // MARK: Limits

    @Test("resourceLimits: each holds in the child, soft and hard")
    func resourceLimits() async throws {
        let report = try await report {
            $0.resourceLimits.cpuSeconds = .init(soft: 1001, hard: 1002)
            $0.resourceLimits.openFiles = .init(soft: 101, hard: 102)
            $0.resourceLimits.coreSize = 0
            $0.resourceLimits.fileSize = .init(soft: 1 << 40, hard: 1 << 41)
            $0.resourceLimits.processes = .init(soft: 5001, hard: 5002)
        }
        let table = report["limits"]?.stringValue ?? ""
        func row(_ name: String) -> [String] {
            let line = table.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
            return line.dropFirst(name.count).split(separator: " ").prefix(2).map(String.init)
        }
        #expect(row("Max cpu time") == ["1001", "1002"])
        #expect(row("Max open files") == ["101", "102"])
        #expect(row("Max core file size") == ["0", "0"])
        #expect(row("Max file size") == ["1099511627776", "2199023255552"])
        #expect(row("Max processes") == ["5001", "5002"])
    }

    @Test("resourceLimits: the address space too, which a program built with a sanitizer can't do with")
    func addressSpace() async throws {
        let status = try await run("[ $(ulimit -Sv) = 4194304 ] && [ $(ulimit -Hv) = 8388608 ]") {
            $0.resourceLimits.addressSpace = .init(soft: 1 << 32, hard: 1 << 33)
        }
        #expect(status == .exited(code: 0))
    }

    @Test("resourceLimits: a soft limit above the hard one is refused, and so is raising one without the right")
    func badLimits() async throws {
        let error = try failure { $0.resourceLimits.openFiles = .init(soft: 2, hard: 1) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("openFiles"))
        let lines = try await Fixture.runParent("raise")
        #expect(lines.first?.contains("option resourceLimits") == true && lines.first?.contains("errno 1") == true)
    }

    @Test("nice: the child has that niceness; a value out of range is refused")
    func nice() async throws {
        let own = getpriority(__priority_which_t(0), 0)
        #expect(try await report { _ in }["nice"] == .integer(Int64(own)))
        #expect(try await report { $0.nice = 15 }["nice"] == 15)
        #expect(try failure { $0.nice = 20 }.code == .invalidArgument)
        #expect(try failure { $0.nice = -21 }.code == .invalidArgument)
    }

    @Test("noNewPrivileges: the kernel has it noted of the child")
    func noNewPrivileges() async throws {
        #expect(try await report { _ in }["status"]?["NoNewPrivs"] == "0")
        #expect(try await report { $0.noNewPrivileges = true }["status"]?["NoNewPrivs"] == "1")
    }

    // MARK: Time

    @Test("timeout: a child that runs longer is sent killSignal, SIGTERM where nothing else is asked for")
    func timeout() async throws {
        for (signal, expected) in [(nil, Signal.terminate), (Signal.kill, .kill)] {
            var options = ChildProcess.Options()
            options.timeout = .milliseconds(50)
            if let signal { options.killSignal = signal }
            let child = try Fixture.fork("mute", options: options)
            #expect(try await within { try await child.waitForExit() } == .signaled(expected, coreDumped: false))
        }
    }

    @Test("timeout: a child that ends before is left alone; a negative time is refused")
    func timeoutInTime() async throws {
        var options = ChildProcess.Options()
        // Longer than any clock can count.
        options.timeout = .seconds(Int64.max)
        let child = try Fixture.fork("burst", "1", "exit", options: options)
        #expect(try await within { try await child.waitForExit() } == .exited(code: 7))
        #expect(try failure { $0.timeout = .seconds(-1) }.code == .invalidArgument)
    }

    @Test("numbers that are no signal, or no descriptor for a channel, are refused")
    func ranges() throws {
        let changes: [(inout ChildProcess.Options) -> Void] = [
            { $0.killSignal = Signal(rawValue: 0) }, { $0.killSignal = Signal(rawValue: 65) },
            { $0.parentDeathSignal = Signal(rawValue: -1) }, { $0.channelDescriptor = 2 },
            { $0.channelDescriptor = 1024 },
        ]
        for change in changes { #expect(try failure(change).code == .invalidArgument) }
    }
}

/// A copy of a program in a directory that everybody may search, gone with this value.
private final class PublicCopy {
    let path: String

    init(of program: String) async throws {
        path = "/tmp/fork-public-\(UUID())"
        // By another process: where this one had it open, a child that another test starts just then would have it too,
        // for a moment, and what is open for writing can't be executed.
        let copy = try ChildProcess.fork(path: "/bin/cp", arguments: [program, path])
        try #require(try await copy.waitForExit() == .exited(code: 0))
        chmod(path, 0o755)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
