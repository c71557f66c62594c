internal import JSONCodec
internal import Reactor
internal import SystemPackage

/// How a program is started: what its options say, in the terms of the kernel.
struct LaunchPlan {
    let path: FilePath
    let options: ChildProcess.Options
    /// What is executed: the program, or its interpreter.
    let executable: FilePath
    /// The program, as the child finds it from where it starts.
    private let program: FilePath

    init(path: FilePath, options: ChildProcess.Options) throws {
        if path.isEmpty { throw ForkError(.invalidArgument, "The path of the program is empty") }
        // The child changes its directory before it looks for the program.
        let start = options.workingDirectory == nil ? FilePath() : try Self.currentDirectory(path)
        program = start.pushing(path)
        executable = try options.interpreter.map { try Self.find($0.path, from: start) } ?? program
        self.path = path
        self.options = options
    }

    /// Everything about it is checked that can be checked before, and opened that the child is not to look for.
    func request(_ arguments: [String], channel: consuming Descriptor) throws -> SpawnRequest {
        let arguments = try self.arguments(arguments)
        let environment = try environment()
        let attributes = try attributes()
        let directory = try options.workingDirectory.map { try open(workingDirectory: $0) }
        var request = SpawnRequest(
            path: executable, arguments: arguments, environment: environment, channel: channel)
        request.workingDirectory = directory
        request.channelNumber = options.channelNumber
        request.inheritedDescriptors = options.inheritedDescriptors.map(\.rawValue)
        request.attributes = attributes
        return request
    }

    /// With the program's name first.
    private func arguments(_ further: [String]) throws -> [[UInt8]] {
        let interpreter = options.interpreter
        for argument in [options.argumentZero ?? ""] + (interpreter?.arguments ?? []) + further {
            try argument.refuseNUL("The argument '\(argument.excerpt())' of '\(path.abbreviated)'")
        }
        let name = options.argumentZero.map { Array($0.utf8) } ?? (interpreter?.path ?? path).bytes
        let inner = interpreter.map { $0.arguments.map { Array($0.utf8) } + [program.bytes] } ?? []
        return [name] + inner + further.map { Array($0.utf8) }
    }

    private func attributes() throws -> SpawnAttributes {
        var attributes = SpawnAttributes()
        attributes.createsSession = options.createsSession
        switch options.processGroup {
        case .inherit: break
        case .new: attributes.processGroup = 0
        case .join(let group): attributes.processGroup = group
        }
        attributes.resourceLimits = options.resourceLimits.all.compactMap { row in
            row.limit.map { SpawnAttributes.Limit(resource: row.number, soft: $0.soft, hard: $0.hard) }
        }
        attributes.nice = options.nice
        let credentials = try Credentials(options, path: path)
        attributes.supplementaryGroups = credentials.groups
        attributes.group = credentials.group
        attributes.user = credentials.user
        attributes.noNewPrivileges = options.noNewPrivileges
        attributes.parentDeathSignal = options.parentDeathSignal?.rawValue
        return attributes
    }

    private func open(workingDirectory name: FilePath) throws -> Descriptor {
        do throws(Errno) {
            return try name.openDirectory()
        } catch {
            throw ForkError.notStarted(
                path, "its working directory '\(name.abbreviated)' can't be used: \(error)", errno: error)
        }
    }

    private static func currentDirectory(_ path: FilePath) throws -> FilePath {
        do throws(Errno) {
            return try FilePath.currentDirectory()
        } catch {
            throw ForkError.notStarted(path, "this program's own directory can't be told: \(error)", errno: error)
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
            .launchFailed, "Option interpreter: there is no '\(interpreter.abbreviated)' in PATH",
            errno: .noSuchFileOrDirectory)
    }
}
