extension ChildProcess.Options {
    /// Options with which a JavaScript file is forked as a child of Node.js:
    ///
    /// ```swift
    /// let worker = try ChildProcess.fork(path: "worker.js", options: .node())
    /// ```
    ///
    /// The file needs nothing of this package: it uses `process.on('message')` and `process.send`, as under Node's own
    /// `child_process.fork`.
    ///
    /// - Parameters:
    ///   - program: the path of Node.js, or a name that is searched for in `PATH`. Default: `node`.
    ///   - arguments: what stands between it and the path of the file, as Node's `execArgv`. Default: none.
    public static func node(_ program: String = "node", arguments: [String] = []) -> Self {
        var options = Self()
        options.interpreter = .init(program, arguments: arguments)
        options.dialect = .node
        return options
    }
}
