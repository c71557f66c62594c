package import JSONCodec
package import SystemPackage
package import Wire

/// What can go wrong on a channel.
package enum ChannelError: Error, Sendable {
    /// The channel takes no more: this side or the peer has closed it, or the peer is gone.
    case closed(Closing)
    /// Nothing was queued, because it would have passed the hard limit.
    case queueFull(count: Int, queued: Int, limit: Int)
    /// Nothing was queued, because the peer would refuse it; or what was queued before its hello was thrown away.
    case tooLong(count: Int, limit: Int)
    case notEncodable(any Error)
    /// What is queued could not be written in time; it stays queued.
    case notFlushed(after: Duration)
    /// The peer broke the framing; the channel closes.
    case protocolViolation(WireError)
    /// The peer's first bytes are the beginning of no hello, and these they are; the channel closes.
    case notSpoken(opening: [UInt8], WireError)
    /// One message could not be read; the next one is.
    case badPayload(JSONError)
    /// A message could not be delivered, because this process had no room for its handles.
    case handlesLost(announced: Int)
    /// A message could not be delivered, because this side takes no handles.
    case handlesNotTaken(announced: Int)
    /// Nothing was queued, because the peer takes no handles.
    case handlesNotTakenByPeer
    /// Nothing was queued: one message has more handles than the dialect allows.
    case tooManyHandles(Int, limit: Int)
    /// Nothing was queued: the dialect passes only some kinds of descriptors.
    case handleKindNotSupported
    /// Nothing was queued: the dialect has no messages of bytes.
    case bytesNotSupported
    /// Nothing was queued: the dialect has no conversations.
    case conversationsNotSupported
    /// Nothing was queued: a handle is not open.
    case handleNotOpen(CInt)
    /// A message that had been queued was thrown away, because the kernel passes no handle of its kind.
    case handlesRefused(Errno)
    /// A message was given up: its handle did not reach the peer, however often it was sent.
    case handleNotReceived
    /// The peer gave the channel up and says why.
    case aborted(Abort)
    /// The kernel refused to read or write.
    case system(Errno)
}

/// Why a channel takes no more.
package enum Closing: Equatable, Sendable {
    case byThisSide
    case byPeer
    /// The process at the other end has ended.
    case peerEnded
    /// The peer, or this side after the peer's mistake, has given the channel up.
    case protocolViolation
}
