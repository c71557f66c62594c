internal import JSONCodec
internal import Reactor
internal import Wire

extension InboundQueue {
    /// What the owner does next.
    enum Step {
        /// Read from the socket, and say what came of it.
        case read
        /// A plain message for the consumers.
        case deliver(InboundMessage)
        indirect case fail(ChannelError)
        /// What becomes of a frame with an id; to be answered by `found`.
        case lookUp(FrameHeader)
        indirect case conversation(ConversationKey, ConversationEvent)
        /// A conversation of the peer's is over that nobody has heard of, because its first message never was whole.
        case release(ConversationKey)
        indirect case hello(Hello)
        /// The peer lets this side send and open more.
        case credit(id: UInt64, limit: UInt64, highestID: UInt64)
        /// The peer lets this side open more, and says so of an id that has ended.
        case allowed(highestID: UInt64)
        /// Let the peer send more.
        case grant(id: UInt64, limit: UInt64)
        /// Answer a ping.
        case ping(UInt64)
        case pong(UInt64)
        /// Of the Node dialect.
        case answer([UInt8])
        case acknowledged
        case refused
        /// The peer says no more, or nothing more of it is read.
        case peerEnded
        /// The peer broke the protocol: tell it why the channel ends here.
        indirect case abort(WireError)
        /// The peer has given the channel up, or its stream has ended: nothing that is written is read.
        case peerGone(Closing)
        /// All that the peer said has been read. Somebody may still be about to come for what is unread, or for the
        /// error that was told.
        case exhausted(hasUnread: Bool)
        /// All that the peer said has been delivered.
        case delivered
        /// The turn has done its share.
        case yield
        /// Nothing is to be done for now.
        case wait
    }
}

/// Handles that came with the bytes of a read; some of them may have been lost.
struct ArrivedHandles {
    let handles: SharedDescriptors
    let isTruncated: Bool
}
