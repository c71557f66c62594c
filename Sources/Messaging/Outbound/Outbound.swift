internal import Reactor
internal import Wire

/// What is guarded by a channel's lock.
struct Outbound: ~Copyable {
    /// Given up, and so closed, only while no batch is out.
    var socket: Descriptor?
    var watch: MessageLoop.Watch?
    var queue: OutboundQueue
    var peerMessageLimit: Int
    /// So long as its hello has not said otherwise.
    var peerTakesHandles = true
    /// The loop is asked to say when the socket takes bytes again.
    var isArmed = false
    /// The loop is to try again after a while, for room that no event tells of.
    var isRetryPlanned = false
    var isTurnEndPlanned = false
    /// The loop is asked to write what is sent in a burst.
    var isFlushPlanned = false
    var burst = BurstDetector()
    /// The loop is done with the socket; the writer that is under way closes it.
    var closesAfterWrite = false
    var waiters: [UInt64: FlushWaiter] = [:]
    private var lastWaiter: UInt64 = 0
    /// A buffer that has been used before, so that most sends allocate nothing.
    private var spare: [UInt8] = []

    init(socket: consuming Descriptor, limits: ChannelLimits, dialect: Dialect, isMaker: Bool) {
        self.socket = consume socket
        queue = OutboundQueue(
            highWaterMark: limits.highWaterMark, limit: limits.queueLimit, dialect: dialect, isMaker: isMaker,
            peerIDs: limits.ids)
        peerMessageLimit = limits.messageLimit
    }

    var hasSentMessages: Bool { queue.progress.hasAccepted }

    var isClosed: Bool {
        socket == nil
    }

    mutating func takeSpare() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &spare)
        return taken
    }

    mutating func keepSpare(_ buffer: consuming [UInt8]) {
        guard buffer.capacity <= 256 * 1024, buffer.capacity > spare.capacity else { return }
        buffer.removeAll(keepingCapacity: true)
        spare = buffer
    }

    mutating func newWaiter() -> UInt64 {
        lastWaiter += 1
        return lastWaiter
    }

    mutating func takeWaiters(_ ids: [UInt64]) -> [FlushWaiter] {
        ids.compactMap { waiters.removeValue(forKey: $0) }
    }

    /// Closes the socket now, or leaves that to the writer that is using it.
    mutating func closeSocket() {
        closesAfterWrite = queue.isWriting
        if !closesAfterWrite { socket = nil }
    }
}
