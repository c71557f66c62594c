/// How a child process ended.
public enum ExitStatus: Sendable, Hashable {
    /// It returned from `main` or called `exit`; only the low eight bits of its code reach the parent.
    case exited(code: Int32)
    /// A signal ended it.
    case signaled(Signal, coreDumped: Bool)
    /// It has ended, but something else in this program took its status first: a SIGCHLD handler that waits for every
    /// child, or SIGCHLD set to be ignored.
    case unknown

    /// Whether it ended with exit code 0.
    public var isSuccess: Bool { self == .exited(code: 0) }
}

extension ExitStatus: CustomStringConvertible {
    public var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .signaled(let signal, let coreDumped): "ended by \(signal)\(coreDumped ? " (core dumped)" : "")"
        case .unknown: "ended in an unknown way"
        }
    }
}

/// What a process has used, its own children that it waited for included.
public struct ResourceUsage: Sendable, Hashable {
    /// Processor time in the program itself.
    public let userTime: Duration
    /// Processor time that the kernel spent for it.
    public let systemTime: Duration
    /// The most memory that it had resident at a time, in bytes.
    public let peakMemory: Int

    package init(userTime: Duration, systemTime: Duration, peakMemory: Int) {
        self.userTime = userTime
        self.systemTime = systemTime
        self.peakMemory = peakMemory
    }
}

/// How a process ended, and what it has used where that is known.
package struct EndedProcess: Sendable {
    package var status: ExitStatus
    package var usage: ResourceUsage?

    package init(status: ExitStatus, usage: ResourceUsage? = nil) {
        self.status = status
        self.usage = usage
    }
}

/// A signal, by its number.
public struct Signal: RawRepresentable, Sendable, Hashable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// SIGHUP
    public static let hangUp = Signal(rawValue: 1)
    /// SIGINT
    public static let interrupt = Signal(rawValue: 2)
    /// SIGQUIT
    public static let quit = Signal(rawValue: 3)
    /// SIGABRT
    public static let abort = Signal(rawValue: 6)
    /// SIGKILL, which no program can catch.
    public static let kill = Signal(rawValue: 9)
    /// SIGTERM
    public static let terminate = Signal(rawValue: 15)
}

extension Signal: CustomStringConvertible {
    public var description: String {
        Self.names[rawValue] ?? "signal \(rawValue)"
    }
}
