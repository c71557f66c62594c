import Fork
import Foundation
import SystemPackage
import Testing

@Suite("Starts that fail")
struct LaunchTests {
    private func failure(
        _ path: String, _ arguments: [String] = [], _ change: (inout ChildProcess.Options) -> Void = { _ in }
    ) throws -> ForkError {
        var options = ChildProcess.Options()
        change(&options)
        let error = #expect(throws: ForkError.self) {
            try ChildProcess.fork(path: path, arguments: arguments, options: options)
        }
        return try #require(error)
    }

    @Test("a path that does not exist")
    func missing() throws {
        let error = try failure("/nowhere/to/be/found")
        #expect(error.code == .launchFailed)
        #expect(error.errno == .noSuchFileOrDirectory)
        #expect(error.message.contains("/nowhere/to/be/found") && error.message.contains("no such file"))
    }

    @Test("a relative path that does not exist: where it was looked for, and how to name a program beside this one")
    func missingRelative() throws {
        let directory = FileManager.default.currentDirectoryPath
        for workingDirectory in [nil, "/usr"] as [FilePath?] {
            let error = try failure("no-such-child") { $0.workingDirectory = workingDirectory }
            #expect(error.errno == .noSuchFileOrDirectory)
            #expect(error.message.contains("'no-such-child': there is no such file in '\(directory)', "), "\(error)")
            #expect(error.message.contains("Process.executableDirectory"), "\(error)")
        }
        #expect(try !failure("/no-such-child").message.contains("Process.executableDirectory"))
    }

    @Test("a path that is a directory")
    func directory() throws {
        let error = try failure("/usr")
        #expect(error.errno == .permissionDenied)
        #expect(error.message.contains("'/usr'") && error.message.contains("directory"))
    }

    @Test("a file that is not executable")
    func notExecutable() throws {
        let error = try failure("/etc/passwd")
        #expect(error.errno == .permissionDenied)
        #expect(error.message.contains("not executable"))
    }

    @Test("a script whose interpreter does not exist, and a text that is no script")
    func scripts() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("fork-script-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for (text, reason) in [("#!/nowhere/interpreter\n", "interpreter"), ("no script\n", "'#!' line")] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            chmod(path, 0o755)
            let error = try failure(path)
            #expect(error.message.contains(path) && error.message.contains(reason), "\(error)")
        }
    }

    @Test(
        "a script that can't be run by itself: the options that run it are named",
        arguments: ["worker.js", "worker.mjs", "worker.cjs", "worker.py", "worker"], [0o644, 0o755])
    func scriptWithoutInterpreter(_ name: String, _ mode: mode_t) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fork-scripts-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent(name).path
        try "process.exit(0)\n".write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, mode)
        let error = try failure(path)
        #expect(error.code == .launchFailed && error.errno == (mode == 0o644 ? .permissionDenied : .execFormatError))
        #expect(error.message.contains("`Options.node()`") == name.hasSuffix("js"), "\(error)")
        #expect(error.message.contains("option interpreter") == (name != "worker"), "\(error)")
        // An interpreter that is named is not missing.
        let interpreted = try failure("/etc/passwd") { $0.interpreter = .init(path) }
        #expect(!interpreted.message.contains("Options.node()"), "\(interpreted)")
    }

    @Test("a program that is being written")
    func beingWritten() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("fork-busy-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.copyItem(atPath: Fixture.raw, toPath: path)
        let writer = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(writer) }
        let error = try failure(path)
        #expect(error.errno == .textFileBusy)
        #expect(error.message.contains(path) && error.message.contains("being written"))
    }

    @Test("an empty path, and a NUL in the path, an argument, a variable or its name")
    func unusableStrings() throws {
        let child = Fixture.child
        let failures = [
            try failure(""),
            try failure("/bin/\0true"),
            try failure(child, ["a\0b"]),
            try failure(child) { $0.environment = .custom(["A\0": "b"]) },
            try failure(child) { $0.environment = .custom(["A": "b\0"]) },
            try failure(child) { $0.environment = .inheritUpdating(["A": "b\0"]) },
            try failure(child) { $0.environment = .custom(["": "b"]) },
            try failure(child) { $0.environment = .custom(["A=B": "b"]) },
        ]
        for error in failures { #expect(error.code == .invalidArgument, "\(error)") }
    }

    @Test("a working directory that does not exist or is a file is named, not the program")
    func workingDirectory() throws {
        for (path, errno) in [("/nowhere", Errno.noSuchFileOrDirectory), ("/etc/passwd", .notDirectory)] {
            let error = try failure(Fixture.child) { $0.workingDirectory = FilePath(path) }
            #expect(error.code == .launchFailed)
            #expect(error.errno == errno)
            #expect(error.message.contains("working directory '\(path)'"))
        }
    }

    @Test("limits that make no sense")
    func limits() throws {
        for change: (inout ChildProcess.Options) -> Void in [
            { $0.maximumMessageSize = 10 }, { $0.maximumMessageSize = .max }, { $0.highWaterMark = 0 },
            { $0.queueLimit = 5 },
        ] {
            #expect(try failure(Fixture.child, [], change).code == .invalidArgument)
        }
    }

    @Test("arguments that are longer than the kernel takes")
    func tooLong() throws {
        let error = try failure(Fixture.child, [String(repeating: "x", count: 10 << 20)])
        #expect(error.errno == .argListTooLong)
    }

    @Test("with any number of descriptors left, a fork works or throws EMFILE, and leaves nothing behind")
    func noDescriptors() async throws {
        let lines = try await Fixture.runParent("emfile")
        let outcomes = lines.filter { $0.hasPrefix("free") }
        #expect(outcomes.count > 4)
        #expect(outcomes.last?.hasSuffix("started") == true)
        for (index, line) in lines.enumerated() where line.hasPrefix("free") && !line.hasSuffix("started") {
            #expect(line.contains("launchFailed errno 24") && line.contains("no descriptors left"), "\(line)")
            #expect(lines[index + 1] == "descriptors 0 threads 0")
            #expect(lines[index + 2] == "children none")
        }
    }

    @Test("a start that fails leaves no descriptor, thread or process behind")
    func nothingLeft() async throws {
        let lines = try await Fixture.runParent("failures")
        #expect(lines.count == 18)
        for (index, line) in lines.enumerated() {
            switch index % 3 {
            case 0: #expect(line.contains("launchFailed") || line.contains("invalidArgument"), "\(line)")
            case 1: #expect(line == "descriptors 0 threads 0")
            default: #expect(line == "children none")
            }
        }
    }

    @Test("with no processes left a fork throws EAGAIN, and leaves nothing behind")
    func noProcesses() async throws {
        let lines = try await Fixture.runParent("eagain")
        #expect(lines.first?.contains("errno 11") == true)
        #expect(lines.first?.contains("limit on processes") == true)
        #expect(lines.dropFirst() == ["descriptors 0 threads 0", "children none"])
    }

    @Test("a working directory that can't be entered is named, and the program is not blamed")
    func directoryWithoutEntry() async throws {
        let lines = try await Fixture.runParent("no-entry")
        #expect(lines.first?.contains("errno 13") == true)
        #expect(lines.first?.contains("its working directory") == true)
        #expect(lines.dropFirst() == ["descriptors 0 threads 0", "children none"])
    }
}
