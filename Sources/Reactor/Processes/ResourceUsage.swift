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
