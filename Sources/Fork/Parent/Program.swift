internal import Reactor
internal import SystemPackage

/// A program to start, with everything about it checked that can be checked before.
struct Program: ~Copyable {
    private let path: String
    private let absolutePath: String
    private let arguments: [String]
    private let environment: [String]
    private let workingDirectory: Descriptor?

    init(path: String, arguments: [String], options: ChildProcess.Options) throws {
        if path.isEmpty { throw ForkError(.invalidArgument, "The path of the program is empty") }
        try Self.refuseNUL(in: path, "The path '\(path)'")
        for argument in arguments { try Self.refuseNUL(in: argument, "The argument '\(argument)' of '\(path)'") }
        let environment = try Self.environment(options.environment, path: path)
        let directory = try options.workingDirectory.map { try Self.open(workingDirectory: $0, path: path) }
        // The child changes its directory before it looks for the program.
        let isFromHere = options.workingDirectory != nil && !path.hasPrefix("/")
        let prefix = isFromHere ? try System.currentDirectory() + "/" : ""
        self.path = path
        absolutePath = prefix + path
        self.arguments = arguments
        self.environment = environment
        workingDirectory = directory
    }

    func request(channel: consuming Descriptor, _ options: ChildProcess.Options) throws(Errno) -> SpawnRequest {
        var request = SpawnRequest(
            path: absolutePath, arguments: [path] + arguments,
            environment: environment.filter { !$0.hasPrefix(ChildSpawner.channelVariable + "=") }
                + ["\(ChildSpawner.channelVariable)=\(ChildSpawner.channelNumber)"],
            channel: channel)
        request.workingDirectory = try workingDirectory?.duplicate()
        request.input = .init(options.standardInput)
        request.output = .init(options.standardOutput)
        request.error = .init(options.standardError)
        return request
    }

    /// The kernel's reason, in words that say what to look at.
    func explain(_ errno: Errno) -> String {
        switch errno {
        case .permissionDenied where System.isDirectory(absolutePath): "it is a directory"
        case .permissionDenied: "it is not executable, or a directory on its path can't be searched"
        case .noSuchFileOrDirectory where System.exists(absolutePath):
            "the interpreter in its first line, or the loader that it was linked for, does not exist"
        case .noSuchFileOrDirectory: "there is no such file"
        case .execFormatError: "it is neither a program of this machine nor a script with a '#!' line"
        case .tooManyOpenFiles: "this process has no descriptors left"
        case .tooManyOpenFilesInSystem: "the system has no descriptors left"
        case .resourceTemporarilyUnavailable: "the limit on processes or threads is reached"
        case .argListTooLong: "its arguments and environment are too long"
        default: "\(errno)"
        }
    }

    private static func open(workingDirectory name: String, path: String) throws -> Descriptor {
        try refuseNUL(in: name, "The working directory '\(name)'")
        do throws(Errno) {
            return try System.openDirectory(name)
        } catch {
            throw ForkError(
                .launchFailed, "Could not start '\(path)': its working directory '\(name)' can't be used: \(error)",
                errno: error)
        }
    }

    private static func environment(_ environment: ChildProcess.Environment, path: String) throws -> [String] {
        switch environment {
        case .inherit:
            return System.environment()
        case .inheritUpdating(let changes):
            for (name, value) in changes { try check(name, value ?? "", path) }
            let kept = System.environment().filter { entry in
                !changes.keys.contains(String(entry.prefix { $0 != "=" }))
            }
            return kept + changes.compactMap { name, value in value.map { "\(name)=\($0)" } }
        case .custom(let variables):
            for (name, value) in variables { try check(name, value, path) }
            return variables.map { "\($0)=\($1)" }
        }
    }

    private static func check(_ name: String, _ value: String, _ path: String) throws {
        try refuseNUL(in: name, "The variable '\(name)' for '\(path)'")
        try refuseNUL(in: value, "The value of the variable '\(name)' for '\(path)'")
        if name.isEmpty || name.contains("=") {
            throw ForkError(
                .invalidArgument,
                "'\(name)' can't be the name of a variable for '\(path)': it is empty or has a '=' in it")
        }
    }

    private static func refuseNUL(in text: String, _ what: String) throws {
        if text.utf8.contains(0) {
            throw ForkError(.invalidArgument, "\(what) has a NUL byte in it, which no program can be given")
        }
    }
}

extension SpawnRequest.StandardStream {
    fileprivate init(_ stream: ChildProcess.StandardStream) {
        switch stream {
        case .inherit: self = .inherit
        case .null: self = .null
        }
    }
}
