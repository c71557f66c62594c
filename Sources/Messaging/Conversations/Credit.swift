internal import Wire

/// What a data frame costs: a little for each, so that empty ones are not free, and a handle is a scarcer thing than a
/// byte.
enum Cost {
    static let frame = 64
    static let handle = 4096

    static func of(bodyCount: Int, handleCount: Int = 0) -> UInt64 {
        UInt64(frame + bodyCount + handle * handleCount)
    }

    static func of(_ header: FrameHeader) -> UInt64 {
        of(bodyCount: header.bodyCount, handleCount: Int(header.handleCount))
    }
}

/// How much of an id may be sent: an offset that grows with each frame, and the limit that the peer has set.
struct SendingCredit: Equatable {
    private(set) var offset: UInt64 = 0
    private(set) var limit: UInt64

    init(limit: Int) {
        self.limit = UInt64(limit)
    }

    /// Whether a frame may be sent, whatever its size.
    var isLeft: Bool { offset < limit }

    mutating func spend(_ cost: UInt64) {
        offset += cost
    }

    /// Limits that are lower than before change nothing.
    mutating func raise(to limit: UInt64) {
        self.limit = max(self.limit, limit)
    }
}

/// How much of an id the peer may send, and when to let it send more.
struct ReceivingCredit: Equatable {
    /// What has come.
    private(set) var offset: UInt64 = 0
    /// What of that has been taken.
    private(set) var taken: UInt64 = 0
    /// Up to where the peer may send.
    private(set) var limit: UInt64
    /// How much may have come and not been taken.
    private let window: UInt64
    /// How much was left to send when the limit was told.
    private var told: UInt64

    /// - Parameters:
    ///   - announced: the window that the hello says.
    ///   - window: the one that credit frames allow.
    init(announced: Int, window: Int) {
        limit = UInt64(announced)
        told = limit
        self.window = UInt64(max(announced, window))
    }

    /// Whether a frame may come now.
    var isLeft: Bool { offset < limit }

    mutating func receive(_ cost: UInt64) {
        offset += cost
    }

    mutating func take(_ cost: UInt64) {
        taken += cost
    }

    /// The peer has less than half left of what it was told last.
    var isLow: Bool { limit <= offset + told / 2 }

    /// A new limit, where it is time to tell one.
    ///
    /// - Parameter gathered: what has come of a message that is waited for, so that more of it may come.
    mutating func grant(gathered: UInt64) -> UInt64? {
        if !isLow { return nil }
        let raised = min(taken + gathered, offset) + window
        // The last frame may have gone beyond the limit, and what ends before it lets nothing more be sent.
        guard raised > max(limit, offset) else { return nil }
        // A little more is not worth a frame, unless it is all that the peer will get for now.
        guard raised - limit >= window / 4 || taken + gathered >= offset else { return nil }
        limit = raised
        told = raised - offset
        return raised
    }
}
