extension MessageLoop {
    /// What a loop does when there is nothing to do: how soon the next message is noticed, against what the wait for it
    /// costs.
    ///
    /// To be put to sleep and woken up on another core takes longer than to answer a message: some 25 to 60
    /// microseconds of a round trip. A loop that looks for events instead of sleeping saves that, and keeps its core
    /// busy meanwhile. On one core nothing can come while the loop looks, and no setting makes it do so.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Latency: UInt8, Sendable {
        /// Looks for up to 50 microseconds before it sleeps, while messages come in quick succession and looking has
        /// found them. An idle loop costs nothing, and neither does one whose messages come singly. The default.
        case balanced
        /// Looks for a millisecond after each event before it sleeps. A loop whose messages come more often than that
        /// takes a whole core, with however little to do; an idle one costs nothing.
        case lowest
        /// Sleeps at once. For programs with many loops that are little used, and where what a core costs counts more
        /// than what a round trip takes.
        case efficient
    }

    /// How this loop waits; see ``Latency``. Can be changed at any time, from any thread; takes effect with the next
    /// wait. Default: `balanced`.
    public var latency: Latency {
        get { core.latency }
        set { core.latency = newValue }
    }
}
