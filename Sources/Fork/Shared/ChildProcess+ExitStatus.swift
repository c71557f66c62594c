public import Reactor

extension ChildProcess {
    /// How a child process ended.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum ExitStatus: Sendable, Hashable {
        /// It returned from `main` or called `exit`; only the low eight bits of its code reach the parent.
        case exited(code: Int32)
        /// A signal ended it.
        case signaled(Signal, coreDumped: Bool)
        /// It has ended, but something else in this program took its status first: a SIGCHLD handler that waits for
        /// every child, or SIGCHLD set to be ignored.
        case unknown

        /// Whether it ended with exit code 0.
        public var isSuccess: Bool { self == .exited(code: 0) }

        init(_ status: TerminationStatus) {
            switch status {
            case .exited(let code): self = .exited(code: code)
            case .signaled(let signal, let coreDumped): self = .signaled(signal, coreDumped: coreDumped)
            case .unknown: self = .unknown
            }
        }
    }
}

extension ChildProcess.ExitStatus: CustomStringConvertible {
    public var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signaled(let signal, let coreDumped): "ended by \(signal)\(coreDumped ? " (core dumped)" : "")"
        case .unknown: "ended in an unknown way"
        }
    }
}
