internal import Reactor
internal import SystemPackage

// What is said of a start that failed.
extension LaunchPlan {
    /// What failed, by the name of its option, and the reason in words that say what to look at.
    func error(_ error: SpawnError) -> ForkError {
        let reason =
            switch error.step {
            case .start, .execute: explain(error.errno)
            case .descriptors: explain(error.errno, at: error.target ?? options.channelNumber)
            // The group comes with the user.
            case .group where options.group == nil: "option user: \(error.errno)"
            // These steps have the names of the options.
            case .createsSession, .processGroup, .workingDirectory, .resourceLimits, .nice, .supplementaryGroups,
                .group,
                .user, .noNewPrivileges, .parentDeathSignal:
                "option \(error.step.rawValue): \(error.errno)"
            }
        return ForkError.notStarted(path, reason, errno: error.errno)
    }

    /// What kept this process from starting anything.
    func error(_ errno: Errno) -> ForkError {
        error(SpawnError(step: .start, errno: errno))
    }

    private func explain(_ errno: Errno) -> String {
        let what = executable.ends(with: path) ? "it" : "'\(executable.abbreviated)'"
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
        let directory = (try? FilePath.currentDirectory()).map { "'\($0.abbreviated)', " } ?? ""
        return """
            there is no such file in \(directory)the working directory of this program. \
            A program that lies beside this one has a path that begins with `Process.executableDirectory`
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
}

extension ForkError {
    /// - Parameter path: of the program.
    static func notStarted(_ path: FilePath, _ reason: String, errno: Errno? = nil) -> ForkError {
        ForkError(.launchFailed, "Could not start '\(path.abbreviated)': \(reason)", errno: errno)
    }
}
