public import Reactor

extension ChildProcess {
    /// How a child is started, and how much its channel holds.
    public struct Options: Sendable {
        /// The child's environment. Default: this program's.
        public var environment: Environment = .inherit
        /// The directory in which the child starts. Default: this program's.
        public var workingDirectory: String?
        /// The child's standard input. Default: this program's.
        public var standardInput: StandardStream = .inherit
        /// The child's standard output. Default: this program's.
        public var standardOutput: StandardStream = .inherit
        /// The child's standard error. Default: this program's.
        public var standardError: StandardStream = .inherit
        /// The longest message in bytes, either way; the child is told. At least 1024. Default: 64 MiB.
        public var maximumMessageSize: Int = 64 << 20
        /// From how many queued bytes on `send` returns false. Default: 1 MiB.
        public var highWaterMark: Int = 1 << 20
        /// How many bytes are queued at most; `send` throws rather than pass it. A single message is taken by an empty
        /// queue whatever its size. Default: 128 MiB.
        public var queueLimit: Int = 128 << 20
        /// The loop on which the child's handlers run. Default: one that all children share.
        public var eventLoop: EventLoop?

        /// Options with every default.
        public init() {}
    }

    /// The variables that a child is given. The variable that names its channel is added to them.
    public enum Environment: Sendable {
        /// This program's variables, as they are when the child is started.
        case inherit
        /// This program's variables with changes; nil removes one.
        case inheritUpdating([String: String?])
        /// These variables and no others.
        case custom([String: String])
    }

    /// What a standard stream of a child is connected to.
    public enum StandardStream: Sendable {
        /// The same as this program's.
        case inherit
        /// `/dev/null`: an input that is at its end, an output that is thrown away.
        case null
    }
}
