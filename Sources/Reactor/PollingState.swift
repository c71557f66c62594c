/// Whether a loop looks for events a few times before it sleeps, and for how long. A value without a clock.
///
/// It looks while that pays: while events come so soon after one another that a look would have found the next. An idle
/// loop never looks. A burst costs one look at its end that finds nothing. If several looks in a row have found
/// nothing, the loop sleeps at once for a while before it tries again.
struct PollingState {
    /// For how long at `balanced`. A message that is answered at once comes back in 5 to 20 microseconds.
    static let balancedLimit = Duration.microseconds(50)
    /// For how long at `lowest`.
    static let lowestLimit = Duration.milliseconds(1)
    /// A sleep that was shorter than this ended with something that a look might have found: to be woken up takes 25 to
    /// 60 microseconds of it.
    private static let shortSleep = Duration.microseconds(100)
    private static let missesInARow = 3
    private static let sleepsAfterMisses = 32

    /// On a single core the peer could not do anything meanwhile.
    private let isUseful: Bool
    private var wasSleepShort = false
    private var misses = 0
    /// How many short sleeps are still to come before the next look.
    private var pause = 0

    init(coreCount: Int) {
        isUseful = coreCount > 1
    }

    /// How long to look before the next sleep; nil where not at all.
    func limit(_ latency: MessageLoop.Latency) -> Duration? {
        guard isUseful else { return nil }
        switch latency {
        case .balanced: return wasSleepShort && pause == 0 ? Self.balancedLimit : nil
        case .lowest: return Self.lowestLimit
        case .efficient: return nil
        }
    }

    /// The loop looked, and need not sleep.
    mutating func found() {
        misses = 0
    }

    /// The loop has slept, for that long, after a look that found nothing, or without one.
    mutating func slept(for time: Duration, hasLooked: Bool) {
        wasSleepShort = time < Self.shortSleep
        guard wasSleepShort else {
            misses = 0
            pause = 0
            return
        }
        if hasLooked {
            misses += 1
            if misses == Self.missesInARow {
                misses = 0
                pause = Self.sleepsAfterMisses
            }
        } else if pause > 0 {
            pause -= 1
        }
    }
}
