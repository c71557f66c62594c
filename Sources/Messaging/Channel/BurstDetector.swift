internal import Reactor

/// Whether messages are sent so quickly that the loop should gather them, and write many at once: if a system call for
/// each would cost more than to make it. A value without a clock: times are nanoseconds that never go back.
///
/// The first messages of a burst are written at once. So a program that sends a few and waits for answers loses no
/// time, and the first messages of a handler do not wait until it has returned.
struct BurstDetector {
    /// In nanoseconds.
    struct Times {
        /// How soon after one message the next has to be sent to belong to a burst: from outside the loop, which is
        /// asked to write what is gathered, and does so at once.
        var gapOutside: UInt64 = 10_000
        /// The same in a handler, after which the loop writes what is gathered.
        var gapInHandler: UInt64 = 100_000
        /// A handler that goes on sending writes what it has gathered so long after the last write.
        var longestWait: UInt64 = 1_000_000
    }

    /// How many of a burst are written at once.
    static let writtenAtOnce = 8

    private let times: Times
    private var last: UInt64 = 0
    private var lastWrite: UInt64 = 0
    private var count = 0

    init(times: Times = Times()) {
        self.times = times
    }

    /// A message is sent from outside the loop now; whether it may wait for others.
    mutating func sends(at now: UInt64, _ latency: MessageLoop.Latency) -> Bool {
        latency != .lowest && belongsToBurst(now, times.gapOutside)
    }

    /// A message is sent by a handler now; whether it may wait for others. Whatever the loop's latency: a handler that
    /// answers all that came in one read would cost hundreds of system calls.
    mutating func sendsInHandler(at now: UInt64) -> Bool {
        if belongsToBurst(now, times.gapInHandler), now &- lastWrite < times.longestWait { return true }
        lastWrite = now
        return false
    }

    private mutating func belongsToBurst(_ now: UInt64, _ gap: UInt64) -> Bool {
        if now &- last < gap { count += 1 } else { count = 1 }
        last = now
        return count > Self.writtenAtOnce
    }
}
