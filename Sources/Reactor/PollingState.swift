/// Whether a loop looks for events a few times before it sleeps. It does where its last sleep was so short that the event
/// would have been seen; a sleep that was longer ends it. So an idle loop never polls, and a burst pays for one round too
/// many at its end.
struct PollingState {
    /// For how long. A message that is answered at once comes back in 5 to 20 microseconds.
    static let limit = Duration.microseconds(50)

    private(set) var shouldPoll = false
    /// On a single core the peer could not do anything meanwhile.
    private let isUseful: Bool

    init(coreCount: Int) {
        isUseful = coreCount > 1
    }

    mutating func slept(for time: Duration) {
        shouldPoll = isUseful && time < Self.limit
    }
}
