public import SystemPackage

extension ChildProcess {
    /// What ended a child that was shut down.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum ShutdownStep: Sendable, Hashable {
        /// It had ended before.
        case alreadyEnded
        /// It ended after the disconnect, by itself.
        case disconnect
        /// It needed SIGTERM.
        case terminate
        /// It needed SIGKILL.
        case kill
    }

    /// Ends the child, as gently as it lets: by a disconnect, then by SIGTERM, then by SIGKILL.
    ///
    /// What was sent before still arrives, if the child takes it. The first two steps get half of the time each; the
    /// last one needs none. It goes through to the end, also if the task is cancelled.
    ///
    /// - Parameter time: how long the child may take to end by itself. Default: five seconds.
    /// - Returns: the step that ended the child, which has been reaped then.
    @discardableResult
    public func shutdown(within time: Duration = .seconds(5)) async -> ShutdownStep {
        if exitStatus != nil { return .alreadyEnded }
        disconnect()
        if await exit(within: time / 2) != nil { return .disconnect }
        kill(.terminate)
        if await exit(within: time / 2) != nil { return .terminate }
        kill(.kill)
        _ = await exit(within: nil)
        return .kill
    }

    /// Starts a child for the time of a function, and shuts it down when that ends, by a return or by an error.
    ///
    /// If the task is cancelled, the shutdown begins at once, also while the body goes on: so a body that waits for
    /// something of the child's is not left waiting for ever.
    ///
    /// - Parameters:
    ///   - path: the program; see ``fork(path:arguments:options:)-(FilePath,_,_)``.
    ///   - arguments: what follows the program's name.
    ///   - options: how it is started.
    ///   - time: how long it may take to end by itself; see ``shutdown(within:)``. Default: five seconds.
    ///   - body: what is done with the child.
    /// - Returns: what the body returns, once the child has ended.
    /// - Throws: what ``fork(path:arguments:options:)-(FilePath,_,_)`` throws, or what the body throws, once the child
    ///   has ended.
    public static func withFork<Result>(
        path: FilePath, arguments: [String] = [], options: Options = Options(),
        shutdownWithin time: Duration = .seconds(5),
        _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        let child = try fork(path: path, arguments: arguments, options: options)
        do {
            let result = try await withTaskCancellationHandler {
                try await body(child)
            } onCancel: {
                Task { await child.shutdown(within: time) }
            }
            await child.shutdown(within: time)
            return result
        } catch {
            await child.shutdown(within: time)
            throw error
        }
    }

    /// The same with a path that is text.
    public static func withFork<Result>(
        path: String, arguments: [String] = [], options: Options = Options(),
        shutdownWithin time: Duration = .seconds(5),
        _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await withFork(
            path: FilePath(checking: path), arguments: arguments, options: options, shutdownWithin: time, body)
    }
}
