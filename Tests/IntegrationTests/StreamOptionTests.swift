import Fork
import Foundation
import SystemPackage
import TestSupport
import Testing

/// What a child's streams can be connected to, seen from inside the child.
@Suite("Stream options")
struct StreamOptionTests {
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

    /// The whole content of a file that a script has written.
    private func content(
        before: String? = nil, _ script: String, _ change: (inout ChildProcess.Options, String) -> Void
    ) async throws -> String {
        let path = Script.temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try before?.write(toFile: path, atomically: true, encoding: .utf8)
        let child = try Script.fork(script) { change(&$0, path) }
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    // MARK: Where streams go

    @Test("silent: all three standard streams are pipes, whose ends in the child wait as those of any program")
    func silent() async throws {
        let child = try Fixture.fork("report", options: .silent)
        let files = try await Fixture.report(child)["files"]
        for number in ["0", "1", "2"] {
            #expect(files?[number]?["target"]?.stringValue?.hasPrefix("pipe:") == true)
            #expect(files?[number]?["blocks"] == true)
            #expect(files?[number]?["writes"] == .bool(number != "0"))
        }
        #expect(child.standardInput != nil && child.standardOutput != nil && child.standardError != nil)
        #expect(child.input(1) == nil && child.output(0) == nil)
    }

    @Test("a stream that is no pipe has nothing to read or write here")
    func noPipes() throws {
        let child = try Script.fork("exit 0") { $0.standardOutput = .null }
        #expect(child.standardInput == nil && child.standardOutput == nil && child.standardError == nil)
    }

    @Test("file: an input is read from its beginning")
    func inputFile() async throws {
        let text = try await content(before: "what is read", "[ \"$(cat)\" = 'what is read' ]") {
            $0.standardInput = .file($1)
        }
        #expect(text == "what is read")
    }

    @Test("file: an output replaces what was there, and is created where nothing was")
    func outputFile() async throws {
        for before in [nil, "longer than what comes after it"] {
            let text = try await content(before: before, "echo new") { $0.standardOutput = .file($1) }
            #expect(text == "new\n")
        }
    }

    @Test("file: with append an output goes on where others have come to, as the child's own flags say")
    func appendedFile() async throws {
        let path = Script.temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "old\n".write(toFile: path, atomically: true, encoding: .utf8)
        let report = try await report { $0.standardError = .file(path, append: true) }
        #expect(report["files"]?["2"]?["appends"] == true)
        let text = try await content(before: "old\n", "echo one; echo two") {
            $0.standardOutput = .file($1, append: true)
        }
        #expect(text == "old\none\ntwo\n")
    }

    @Test("file: one that can't be opened is told with the option, the path and the errno")
    func badFile() throws {
        let missing = try failure { $0.standardInput = .file("/nowhere/file") }
        #expect(missing.code == .launchFailed && missing.errno == .noSuchFileOrDirectory)
        #expect(missing.message.contains("option standardInput: '/nowhere/file'"))
        let directory = try failure { $0.outputs[7] = .file("/usr") }
        #expect(directory.code == .launchFailed && directory.errno == .isDirectory)
        #expect(directory.message.contains("option outputs[7]: '/usr'"))
        for path in ["", "a\0b"] {
            #expect(try failure { $0.standardOutput = .file(path) }.code == .invalidArgument)
        }
        #expect(try failure { $0.standardInput = .file("/etc/passwd", append: true) }.code == .invalidArgument)
    }

    @Test("descriptor: the child has the open file, and it stays this program's")
    func descriptor() async throws {
        let low = open("/dev/zero", O_RDONLY | O_CLOEXEC)
        // Higher than what the child opens for itself.
        let number = fcntl(low, F_DUPFD_CLOEXEC, 500)
        close(low)
        defer { close(number) }
        let report = try await report {
            $0.standardInput = .descriptor(FileDescriptor(rawValue: number))
            $0.inputs[40] = .descriptor(FileDescriptor(rawValue: number))
        }
        #expect(report["files"]?["0"]?["target"] == "/dev/zero")
        #expect(report["files"]?["40"]?["target"] == "/dev/zero")
        #expect(report["files"]?["\(number)"] == nil)
        #expect(fcntl(number, F_GETFD) == FD_CLOEXEC)
        let error = try failure { $0.standardOutput = .descriptor(FileDescriptor(rawValue: .max)) }
        #expect(error.code == .invalidArgument && error.message.contains("standardOutput"))
    }

    @Test("sameAs: two streams share one open file, so neither overwrites the other")
    func sameFile() async throws {
        let text = try await content("echo out; echo err >&2; echo out again; echo more >&5") {
            $0.standardOutput = .file($1)
            $0.standardError = .sameAs(1)
            $0.outputs[5] = .sameAs(1)
        }
        #expect(text == "out\nerr\nout again\nmore\n")
    }

    @Test("sameAs: standard error comes through the pipe of standard output, in the order in which it was written")
    func samePipe() async throws {
        let child = try Script.fork("echo 1; echo 2 >&2; echo 3; echo 4 >&2") {
            $0.standardOutput = .pipe
            $0.standardError = .sameAs(1)
        }
        #expect(child.standardError == nil)
        let output = try #require(child.standardOutput)
        #expect(try await within { try await output.collect(upTo: 100) } == Array("1\n2\n3\n4\n".utf8))
    }

    @Test("sameAs: an inherited stream can be shared, too; what can't be meant is refused")
    func sameAsOthers() async throws {
        let inherited = try await report { $0.standardError = .sameAs(1) }
        #expect(inherited["files"]?["2"]?["target"] == inherited["files"]?["1"]?["target"])
        let changes: [(inout ChildProcess.Options) -> Void] = [
            { $0.standardOutput = .sameAs(1) }, { $0.standardOutput = .sameAs(0) }, { $0.standardOutput = .sameAs(9) },
            { ($0.standardOutput, $0.standardError) = (.sameAs(2), .sameAs(1)) },
            { ($0.standardOutput, $0.standardError) = (.channel, .sameAs(1)) },
        ]
        for change in changes { #expect(try failure(change).code == .invalidArgument) }
    }

    @Test("inputs, outputs: the child has them under their numbers, and no others")
    func furtherNumbers() async throws {
        let child = try Script.fork("cat <&6 >&9; echo end >/proc/self/fd/200") {
            $0.inputs[6] = .pipe
            $0.outputs[9] = .pipe
            $0.outputs[200] = .pipe
        }
        let (input, copy, high) = try (
            #require(child.input(6)), #require(child.output(9)), #require(child.output(200))
        )
        try await input.write("through the child")
        input.finish()
        #expect(try await within { try await copy.collect(upTo: 100) } == Array("through the child".utf8))
        #expect(try await within { try await high.collect(upTo: 100) } == Array("end\n".utf8))

        let report = try await report {
            $0.inputs[6] = .null
            $0.outputs[100] = .pipe
        }
        let numbers = Set(report["descriptors"]?.arrayValue?.compactMap(\.integerValue) ?? [])
        // The child's own loop has two of the lowest that are free.
        #expect(numbers.isSuperset(of: [0, 1, 2, 3, 6, 100]) && numbers.subtracting([0, 1, 2, 3, 6, 100]).count <= 2)
        #expect(report["files"]?["6"]?["target"] == "/dev/null")
    }

    @Test("inputs, outputs: a number that is out of range or taken is refused, with the option's name")
    func badNumbers() throws {
        let kept = open("/dev/zero", O_RDONLY)
        defer { close(kept) }
        let changes: [(inout ChildProcess.Options) -> Void] = [
            { $0.inputs[2] = .null }, { $0.inputs[-1] = .null }, { $0.inputs[1024] = .null },
            { $0.inputs[3] = .null }, { $0.inputs[50] = .channel }, { $0.inputs[900] = .inherit },
            { ($0.inputs[50], $0.outputs[50]) = (.null, .null) },
            { ($0.inputs[kept], $0.inheritedDescriptors) = (.null, [FileDescriptor(rawValue: kept)]) },
        ]
        for change in changes {
            let error = try failure(change)
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains("inputs["))
        }
    }

    @Test("a number beyond the limit on open files is told with its option")
    func numberBeyondLimit() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 300, rlim_max: 300)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var options = ChildProcess.Options()
            options.outputs[500] = .pipe
            let error = #expect(throws: ForkError.self) {
                try ChildProcess.fork(path: "/bin/true", options: options)
            }
            #expect(error?.code == .launchFailed)
            #expect(error?.message.contains("option outputs[500]") == true)
        }
    }

    // MARK: The channel

    @Test(
        "channel: it can be any standard stream; a Swift child's prints and reads do not get into it", arguments: 0...2)
    func channel(_ number: Int32) async throws {
        let child = try Fixture.fork("echo-aloud", options: options(channelAt: number))
        var messages = child.messages.makeAsyncIterator()
        for message in ["one", "two"] as [JSON] {
            try await child.send(message)
            #expect(await messages.next()?.json == message)
        }
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("channel: the variable says its number, and nothing has the usual one", arguments: 0...2)
    func channelNumber(_ number: Int32) async throws {
        let script = """
            [ "$SWIFT_FORK_CHANNEL_FD" = \(number) ] || exit 1
            case $(readlink /proc/$$/fd/\(number)) in socket:*) ;; *) exit 2 ;; esac
            [ ! -e /proc/$$/fd/3 ] || exit 3
            """
        let options = options(channelAt: number)
        let child = try ChildProcess.fork(path: "/bin/sh", arguments: ["-c", script], options: options)
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("channel: a Swift child has the null device in its place, and its children have no channel")
    func channelMoved() async throws {
        let report = try await Fixture.report(Fixture.fork("report", options: options(channelAt: 0)))
        #expect(report["files"]?["0"]?["target"] == "/dev/null")
        #expect(report["channelIsCloseOnExec"] == true)
    }

    @Test("channel: it is in one place only")
    func twoChannels() throws {
        let error = try failure { ($0.standardInput, $0.standardOutput) = (.channel, .channel) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("standardInput") && error.message.contains("standardOutput"))
    }

    private func options(channelAt number: Int32) -> ChildProcess.Options {
        var options = ChildProcess.Options()
        switch number {
        case 0: options.standardInput = .channel
        case 1: options.standardOutput = .channel
        default: options.standardError = .channel
        }
        // What else the child has to read is at its end.
        if number != 0 { options.standardInput = .null }
        if number == 0 { options.standardOutput = .null }
        return options
    }
}

/// Children that are shell scripts: the channel is there, and nobody uses it.
enum Script {
    static func fork(
        _ script: String, _ change: (inout ChildProcess.Options) -> Void = { _ in }
    ) throws -> ChildProcess {
        var options = ChildProcess.Options()
        change(&options)
        return try ChildProcess.fork(path: "/bin/sh", arguments: ["-c", script], options: options)
    }

    /// One whose standard output is a pipe.
    static func piped(_ script: String) throws -> (ChildProcess, ChildOutput) {
        let child = try fork(script) { $0.standardOutput = .pipe }
        return (child, try #require(child.standardOutput))
    }

    /// One whose standard input is a pipe, and its standard output.
    static func fed(
        _ script: String, _ change: (inout ChildProcess.Options) -> Void = { _ in }
    ) throws -> (ChildProcess, ChildInput, ChildOutput) {
        let child = try fork(script) { options in
            (options.standardInput, options.standardOutput) = (.pipe, .pipe)
            change(&options)
        }
        return (child, try #require(child.standardInput), try #require(child.standardOutput))
    }

    static func temporaryPath() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("fork-stream-\(UUID())").path
    }
}
