internal import Synchronization

/// The receiving half of a channel.
final class Inbound: @unchecked Sendable {
    // Touched only on the channel's loop, and before `Channel.start` by the thread that makes the channel. What every
    // message changes is not checked for exclusive access, which would cost more than the change: no step is taken
    // while the value changes.
    @exclusivity(unchecked) var queue: InboundQueue
    weak var delegate: (any ChannelDelegate)?
    /// The same while somebody consumes messages and some may still come: whoever has attached a handler need not keep
    /// what it is attached to.
    var keptDelegate: (any ChannelDelegate)?
    /// `pump` is under way; what a delegate does meanwhile is seen by it.
    var isPumping = false
    /// `pump` goes on in the next turn, and only then: with each edge the shares of all later turns would grow by one.
    var isPumpPlanned = false

    init(_ queue: InboundQueue) {
        self.queue = queue
    }
}
