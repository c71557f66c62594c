internal import JSONCodec
internal import Reactor
internal import SystemPackage

/// A program to start, with everything about it checked that can be checked before.
struct LaunchPlan: ~Copyable {
    let path: FilePath
    /// What is executed: the program, or its interpreter.
    private let executable: FilePath
    private let arguments: [[UInt8]]
    private let environment: [[UInt8]]
    private let credentials: Credentials
    private let workingDirectory: Descriptor?
    private let options: ChildProcess.Options

    init(path: FilePath, arguments: [String], options: ChildProcess.Options) throws {
        if path.isEmpty { throw ForkError(.invalidArgument, "The path of the program is empty") }
        let interpreter = options.interpreter
        for argument in [options.argumentZero ?? ""] + (interpreter?.arguments ?? []) + arguments {
            try Self.refuseNUL(in: argument, "The argument '\(argument.excerpt())' of '\(path.asPart)'")
        }
        let environment = try Self.environment(options.environment, path: path)
        let credentials = try Credentials(options, path: path)
        let directory = try options.workingDirectory.map { try Self.open(workingDirectory: $0, path: path) }
        // The child changes its directory before it looks for the program.
        let start = options.workingDirectory == nil ? FilePath() : try Self.currentDirectory(path)
        let program = start.pushing(path)
        executable = try interpreter.map { try Self.find($0.path, from: start) } ?? program
        self.path = path
        let name = options.argumentZero.map { Array($0.utf8) } ?? (interpreter?.path ?? path).bytes
        let inner = interpreter.map { $0.arguments.map { Array($0.utf8) } + [program.bytes] } ?? []
        self.arguments = [name] + inner + arguments.map { Array($0.utf8) }
        self.environment = environment
        self.credentials = credentials
        workingDirectory = directory
        self.options = options
    }

    func request(
        channel: consuming Descriptor, placements: [SpawnRequest.Placement]
    ) throws(Errno) -> SpawnRequest {
        var request = SpawnRequest(
            path: executable, arguments: arguments,
            environment: environment.filter { !Self.isOfChannel($0) } + variables,
            channel: channel)
        request.workingDirectory = try workingDirectory?.duplicate()
        request.placements = placements
        request.channelNumber = options.channelNumber
        request.inheritedDescriptors = options.inheritedDescriptors.map(\.rawValue)
        request.attributes = attributes()
        return request
    }

    /// What tells the child of its channel.
    private var variables: [[UInt8]] {
        let variables =
            switch options.dialect {
            case .native:
                [
                    "\(ChildSpawner.channelVariable)=\(options.channelNumber)",
                    "\(ChildSpawner.limitVariable)=\(options.maximumMessageSize)",
                ]
            case .node:
                [
                    "\(ChildSpawner.nodeChannelVariable)=\(options.channelNumber)",
                    "\(ChildSpawner.nodeModeVariable)=json",
                ]
            }
        return variables.map { Array($0.utf8) }
    }

    /// Whether a variable would tell the child of another channel than its own.
    private static func isOfChannel(_ entry: [UInt8]) -> Bool {
        [
            ChildSpawner.channelVariable, ChildSpawner.limitVariable, ChildSpawner.nodeChannelVariable,
            ChildSpawner.nodeModeVariable,
        ].contains { isVariable(entry, $0) }
    }

    private func attributes() -> SpawnAttributes {
        var attributes = SpawnAttributes()
        attributes.createsSession = options.createsSession
        switch options.processGroup {
        case .inherit: break
        case .new: attributes.processGroup = 0
        case .join(let group): attributes.processGroup = group
        }
        attributes.limits = options.resourceLimits.spawnLimits
        attributes.nice = options.nice
        attributes.groups = credentials.groups
        attributes.group = credentials.group
        attributes.user = credentials.user
        attributes.noNewPrivileges = options.noNewPrivileges
        attributes.parentDeathSignal = options.parentDeathSignal?.rawValue
        return attributes
    }

    // MARK: Failures

    /// What failed, by the name of its option, and the reason in words that say what to look at.
    func error(_ error: SpawnError) -> ForkError {
        let reason =
            switch error.step {
            case .start: explain(error.errno)
            case .execute: explain(error.errno)
            case .session: "option createsSession: \(error.errno)"
            case .processGroup: "option processGroup: \(error.errno)"
            case .descriptors: explain(error.errno, at: error.target ?? options.channelNumber)
            case .workingDirectory: "option workingDirectory: \(error.errno)"
            case .limits: "option resourceLimits: \(error.errno)"
            case .nice: "option nice: \(error.errno)"
            case .groups: "option supplementaryGroups: \(error.errno)"
            case .group: "option \(credentials.hasGroupOfUser ? "user" : "group"): \(error.errno)"
            case .user: "option user: \(error.errno)"
            case .noNewPrivileges: "option noNewPrivileges: \(error.errno)"
            case .parentDeathSignal: "option parentDeathSignal: \(error.errno)"
            }
        return ForkError(.launchFailed, "Could not start '\(path.asPart)': \(reason)", errno: error.errno)
    }

    /// What kept this process from starting anything.
    func error(_ errno: Errno) -> ForkError {
        error(SpawnError(step: .start, errno: errno))
    }

    private func explain(_ errno: Errno) -> String {
        let what = executable.ends(with: path) ? "it" : "'\(executable.asPart)'"
        return switch errno {
        case .permissionDenied where executable.isDirectory: "\(what) is a directory"
        case .permissionDenied:
            "\(what) is not executable, or a directory on its path can't be searched\(interpreterHint)"
        case .noSuchFileOrDirectory where executable.exists:
            "the interpreter in its first line, or the loader that it was linked for, does not exist"
        case .noSuchFileOrDirectory where options.interpreter == nil && path.isRelative: missingInDirectory
        case .noSuchFileOrDirectory: what == "it" ? "there is no such file" : "there is no \(what)"
        case .execFormatError:
            "\(what) is neither a program of this machine nor a script with a '#!' line\(interpreterHint)"
        case .tooManyOpenFiles: "this process has no descriptors left"
        case .tooManyOpenFilesInSystem: "the system has no descriptors left"
        case .resourceTemporarilyUnavailable: "the limit on processes or threads is reached"
        case .textFileBusy: "\(what) is being written"
        case .argListTooLong: "its arguments and environment are too long"
        default: "\(errno)"
        }
    }

    /// What runs a file whose name says that it is a script; empty for other files.
    private var interpreterHint: String {
        guard options.interpreter == nil else { return "" }
        return switch path.extension {
        case "js", "mjs", "cjs":
            "; `Options.node()` runs it with Node.js, and the option interpreter with a program that you name"
        case "py": "; the option interpreter names the program that runs it, such as `.init(\"python3\")`"
        default: ""
        }
    }

    /// A relative path is looked for where this program was started, and a user seldom thinks of that.
    private var missingInDirectory: String {
        let directory = (try? FilePath.currentDirectory()).map { "'\($0.asPart)', " } ?? ""
        return """
            there is no such file in \(directory)the working directory of this program. A program that lies beside this one \
            has a path that begins with `Process.executableDirectory`
            """
    }

    private func explain(_ errno: Errno, at number: Int32) -> String {
        let option = "option \(options.name(of: number))"
        return switch errno {
        case .invalidArgument, .badFileDescriptor:
            "\(option): the number \(number) is not below the limit on open files"
        default: "\(option): \(errno)"
        }
    }

    // MARK: Parts

    private static func currentDirectory(_ path: FilePath) throws -> FilePath {
        do throws(Errno) {
            return try FilePath.currentDirectory()
        } catch {
            throw ForkError(
                .launchFailed, "Could not start '\(path.asPart)': this program's own directory can't be told: \(error)",
                errno: error)
        }
    }

    /// An interpreter by its path, or by its name as a shell would find it.
    private static func find(_ interpreter: FilePath, from start: FilePath) throws -> FilePath {
        if interpreter.isEmpty {
            throw ForkError(.invalidArgument, "The path of the interpreter is empty, or has a NUL byte in it")
        }
        if interpreter.bytes.contains(UInt8(ascii: "/")) { return start.pushing(interpreter) }
        let variable = System.environment().first { isVariable($0, "PATH") }
        let path = variable?.dropFirst(5) ?? ArraySlice("/usr/local/bin:/usr/bin:/bin".utf8)
        for directory in path.split(separator: UInt8(ascii: ":")) {
            let candidate = FilePath(bytes: directory).pushing(interpreter)
            if candidate.isExecutable { return candidate }
        }
        throw ForkError(
            .launchFailed, "Option interpreter: there is no '\(interpreter.asPart)' in PATH",
            errno: .noSuchFileOrDirectory)
    }

    private static func open(workingDirectory name: FilePath, path: FilePath) throws -> Descriptor {
        do throws(Errno) {
            return try name.openDirectory()
        } catch {
            throw ForkError(
                .launchFailed,
                "Could not start '\(path.asPart)': its working directory '\(name.asPart)' can't be used: \(error)",
                errno: error)
        }
    }

    private static func environment(_ environment: ChildProcess.Environment, path: FilePath) throws -> [[UInt8]] {
        switch environment {
        case .inherit:
            return System.environment()
        case .inheritUpdating(let changes):
            for (name, value) in changes { try check(name, value ?? "", path) }
            let kept = System.environment().filter { entry in !changes.keys.contains { isVariable(entry, $0) } }
            return kept + changes.compactMap { name, value in value.map { Array("\(name)=\($0)".utf8) } }
        case .custom(let variables):
            for (name, value) in variables { try check(name, value, path) }
            return variables.map { Array("\($0)=\($1)".utf8) }
        }
    }

    private static func isVariable(_ entry: [UInt8], _ name: String) -> Bool {
        entry.starts(with: name.utf8) && entry.dropFirst(name.utf8.count).first == UInt8(ascii: "=")
    }

    private static func check(_ name: String, _ value: String, _ path: FilePath) throws {
        try refuseNUL(in: name, "The variable '\(name.excerpt())' for '\(path.asPart)'")
        try refuseNUL(in: value, "The value of the variable '\(name.excerpt())' for '\(path.asPart)'")
        if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) {
            throw ForkError(
                .invalidArgument,
                "'\(name.excerpt())' can't be the name of a variable for '\(path.asPart)': it is empty or has a '=' in it"
            )
        }
    }

    /// The path of a text.
    static func path(_ text: String) throws -> FilePath {
        try refuseNUL(in: text, "The path '\(text.asPart)'")
        return FilePath(text)
    }

    static func refuseNUL(in text: String, _ what: @autoclosure () -> String) throws {
        if text.utf8.contains(0) {
            throw ForkError(.invalidArgument, "\(what()) has a NUL byte in it, which no program can be given")
        }
    }
}
