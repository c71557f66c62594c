/// How a process ended.
package enum TerminationStatus: Sendable, Equatable {
    case exited(code: Int32)
    case signaled(Signal, coreDumped: Bool)
    /// Something else in this program took its status first.
    case unknown
}

/// How a process ended, and what it has used where that is known.
package struct EndedProcess: Sendable {
    package var status: TerminationStatus
    package var usage: ResourceUsage?

    package init(status: TerminationStatus, usage: ResourceUsage? = nil) {
        self.status = status
        self.usage = usage
    }
}
