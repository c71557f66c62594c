internal import Reactor

/// Whether messages that are sent from outside the loop come so quickly that the loop should write them: gathered, where a
/// system call for each would cost more than to make it. A value without a clock.
///
/// The first messages of a burst are written at once, so whoever sends a few and waits for answers loses no time.
struct SendBurst {
    /// How soon after one message the next has to be sent to belong to a burst.
    static let gap = Duration.microseconds(10)
    /// How many of a burst are written at once.
    static let writtenAtOnce = 8

    private let gap: Duration
    private var last: SuspendingClock.Instant?
    private var count = 0

    init(gap: Duration = Self.gap) {
        self.gap = gap
    }

    /// A message is sent now; whether it may wait for others.
    mutating func sends(at now: SuspendingClock.Instant, _ latency: MessageLoop.Latency) -> Bool {
        if latency == .lowest { return false }
        if let last, last.duration(to: now) < gap { count += 1 } else { count = 1 }
        last = now
        return count > Self.writtenAtOnce
    }
}
