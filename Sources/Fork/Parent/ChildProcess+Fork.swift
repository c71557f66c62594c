internal import Messaging
internal import Reactor
public import SystemPackage

extension ChildProcess {
    /// Starts a program as a child with a channel to it.
    ///
    /// The child finds its streams and its channel, an empty signal mask, default signal dispositions, and nothing
    /// else of this program. It need not be written in Swift: `Protocols/` says how the channel works.
    ///
    /// - Parameters:
    ///   - path: the program. It is not searched for in `PATH`; a relative path starts at this program's working
    ///     directory, also if ``Options/workingDirectory`` is set. See `Process.executableDirectory`.
    ///   - arguments: what follows the program's name.
    ///   - options: environment, working directory, standard streams, identity, limits and more.
    /// - Throws: ``ForkError`` with the code `launchFailed` or `invalidArgument`, which names what could not be used
    ///   and why. No process, descriptor or thread is left then.
    public static func fork(
        path: FilePath, arguments: [String] = [], options: Options = Options()
    ) throws -> ChildProcess {
        try options.check()
        let plan = try LaunchPlan(path: path, options: options)
        do {
            return try launch(plan, arguments)
        } catch let error as SpawnError {
            throw plan.error(error)
        } catch let errno as Errno {
            throw plan.error(errno)
        }
    }

    /// The same with a path that is text.
    public static func fork(
        path: String, arguments: [String] = [], options: Options = Options()
    ) throws -> ChildProcess {
        try fork(path: FilePath(checking: path), arguments: arguments, options: options)
    }

    private static func launch(_ plan: LaunchPlan, _ arguments: [String]) throws -> ChildProcess {
        let options = plan.options
        let child = try System.socketPair().split { ours, theirs in
            var request = try plan.request(arguments, channel: theirs)
            let loop = try options.messageLoop ?? MessageLoop.sharedOrNew()
            try loop.ensureDriven()
            var streams = try ChildStreams(options, path: plan.path, loop: loop)
            request.placements = streams.placements
            let channel = try Channel(socket: ours, loop: loop, limits: options.limits, dialect: options.wireDialect)
            let process = try ChildSpawner.spawn(request)
            streams.closeChildEnds()
            return ChildProcess(process, channel: channel, streams: streams, options: options)
        }
        do {
            try child.start()
        } catch {
            child.discard()
            throw error
        }
        if options.messageLoop == nil { MessageLoop.share(child.messageLoop) }
        if let timeout = options.timeout { child.end(after: timeout, by: options.killSignal) }
        return child
    }
}
