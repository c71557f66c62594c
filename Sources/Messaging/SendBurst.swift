internal import Reactor

/// Whether messages are sent so quickly that the loop should gather them, and write many at once: if a system call for each
/// would cost more than to make it. A value without a clock.
///
/// The first messages of a burst are written at once, so whoever sends a few and waits for answers loses no time, and what a
/// handler says does not wait until it has returned.
struct SendBurst {
    /// How soon after one message the next has to be sent to belong to a burst.
    struct Gaps {
        /// From outside the loop, which is asked to write what is gathered, and does so at once.
        var outside = Duration.microseconds(10)
        /// In a handler, after which the loop writes what is gathered.
        var inHandler = Duration.microseconds(100)
    }

    /// How many of a burst are written at once.
    static let writtenAtOnce = 8
    /// A handler that goes on sending writes what it has gathered after so long.
    static let longestWait = Duration.milliseconds(1)

    private let gaps: Gaps
    private var last: SuspendingClock.Instant?
    private var lastWrite: SuspendingClock.Instant?
    private var count = 0

    init(gaps: Gaps = Gaps()) {
        self.gaps = gaps
    }

    /// A message is sent from outside the loop now; whether it may wait for others.
    mutating func sends(at now: SuspendingClock.Instant, _ latency: MessageLoop.Latency) -> Bool {
        latency != .lowest && belongsToBurst(now, gaps.outside)
    }

    /// A message is sent by a handler now; whether it may wait for others. Whatever the loop's latency: a handler that answers
    /// all that came in one read would cost hundreds of system calls.
    mutating func sendsInHandler(at now: SuspendingClock.Instant) -> Bool {
        if belongsToBurst(now, gaps.inHandler), let lastWrite, lastWrite.duration(to: now) < Self.longestWait {
            return true
        }
        lastWrite = now
        return false
    }

    private mutating func belongsToBurst(_ now: SuspendingClock.Instant, _ gap: Duration) -> Bool {
        if let last, last.duration(to: now) < gap { count += 1 } else { count = 1 }
        last = now
        return count > Self.writtenAtOnce
    }
}
