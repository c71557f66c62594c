internal import SystemPackage

/// What `ProcessHandle` needs of the system: something that refers to one child of this program, and never to another
/// process that is given the same number later. Each system has one such type, under the name `SystemProcessReference`.
protocol ProcessReference: ~Copyable, Sendable {
    var condition: ProcessCondition { get }

    /// A process that has ended and has not been reaped takes it too, without effect.
    func signal(_ signal: Signal) throws(Errno)

    /// Reaps the process and says how it ended; nil while it runs. Throws if it has been reaped.
    func reap() throws(Errno) -> EndedProcess?

    /// Blocks until the process has ended.
    func waitForEnd()

    /// Calls the handler on the loop when the process may have ended.
    func watch(on loop: MessageLoop, _ handler: @escaping @Sendable () -> Void) throws(Errno) -> MessageLoop.Watch

    /// Signals every process of a group that may be signalled. A group is known by nothing but its number.
    static func signalGroup(_ group: Int32, _ signal: Signal) throws(Errno)
}

enum ProcessCondition {
    case running
    /// It has ended, and its number stays its own until it is reaped.
    case zombie
    /// By whomever. Its number may be another's.
    case reaped
}
