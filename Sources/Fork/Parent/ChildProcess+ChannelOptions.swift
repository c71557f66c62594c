internal import Messaging
internal import Wire

// What the options mean for the channel.
extension ChildProcess.Options {
    var limits: ChannelLimits {
        ChannelLimits(
            messageLimit: maximumMessageSize, highWaterMark: highWaterMark, queueLimit: queueLimit,
            acceptsHandles: acceptsHandles, ids: 0)
    }

    var wireDialect: Wire.Dialect {
        switch dialect {
        case .native: .native
        case .node: .node
        }
    }
}
