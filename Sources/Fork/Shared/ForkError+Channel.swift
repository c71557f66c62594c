internal import JSONCodec
internal import Messaging
internal import Wire

extension ForkError {
    /// What a failure of the channel means to its user.
    init(_ error: ChannelError) {
        switch error {
        case .closed(let closing):
            self.init(.disconnected, "The message can't be sent: \(closing.explanation)")
        case .queueFull(let count, let queued, let limit):
            self.init(
                .queueFull,
                """
                A message of \(count) bytes was not queued: \(queued) bytes are waiting to be sent, \
                and the queue's limit is \(limit); send less when `send` returns false, or use the `send` that waits
                """)
        case .tooLong(let count, let limit):
            self.init(
                .messageTooLong,
                """
                The message is \(count) bytes long, and the other side reads at most \(limit); \
                the option `maximumMessageSize` of the fork sets this limit
                """)
        case .notEncodable(NodeEncoder.Refusal.internalMessage):
            self.init(
                .notEncodable,
                """
                The message can't be sent to Node.js: an object whose `cmd` begins with "NODE_" would be taken \
                for one of Node's own messages, and lost
                """)
        case .notEncodable(let integer as JSONText.IntegerBeyondDouble):
            self.init(
                .notEncodable,
                """
                The message can't be sent to Node.js: JavaScript has no number \(integer.literal) and would read \
                another; send it as a string
                """)
        case .notEncodable(let cause):
            self.init(.notEncodable, "The value can't be encoded as JSON: \(Self.describe(cause))", cause: cause)
        case .notFlushed(let time):
            self.init(.timedOut, "Not all messages could be written within \(time); they stay in the queue")
        case .handlesLost(let announced):
            self.init(
                .handlesLost,
                """
                A message with \(announced) handles could not be delivered: \
                this process has no descriptors left for them. Raise its limit of open files, or take fewer at a time
                """)
        case .handlesNotTaken(let announced):
            self.init(
                .handlesLost,
                """
                A message with \(announced) handles was not delivered: \
                the option `acceptsHandles` of the fork says that this child may not send any
                """)
        case .handlesNotTakenByPeer:
            self.init(.notSupported, "The message can't be sent: the other side takes no handles")
        case .tooManyHandles(let count, let limit):
            self.init(
                .invalidArgument,
                "The message has \(count) handles; at most \(limit) can travel with one to this process")
        case .handleKindNotSupported:
            self.init(
                .notSupported, "The message can't be sent: Node.js takes stream sockets as handles, and this is none")
        case .bytesNotSupported:
            self.init(
                .notSupported, "Bytes can't be sent: Node.js takes only JSON; send a string, or an array of numbers")
        case .conversationsNotSupported:
            self.init(.notSupported, "Node.js knows messages, and no requests")
        case .handleNotReceived:
            self.init(
                .handlesLost, "A message was given up: its handle did not reach the other process in four attempts")
        case .handleNotOpen(let number):
            self.init(
                .invalidArgument,
                """
                The descriptor \(number) is not open, so it can't be sent; \
                a handle that was given away is closed by it
                """
            )
        case .handlesRefused(let errno):
            self.init(
                .handlesLost,
                "A message was not sent: the kernel does not pass one of its handles, which were: \(errno)",
                errno: errno)
        case .protocolViolation(let error):
            self.init(
                .protocolViolation,
                "The other side broke the protocol, and the channel was closed: \(error.foreignText ?? "\(error)")",
                cause: error)
        case .notSpoken(let opening, let error):
            self.init(
                .protocolViolation,
                """
                The other side does not speak this protocol, and the channel was closed: the first bytes are \
                \(opening.escaped). It may print to the channel's descriptor, or speak the dialect of Node.js, \
                for which a fork has `Options.node()`
                """,
                cause: error)
        case .badPayload(let error):
            self.init(.invalidMessage, "A message could not be read: \(error)", cause: error)
        case .aborted(let abort) where abort.code == Abort.notTaken:
            self.init(.notTaken, abort.message)
        case .aborted(let abort):
            self.init(.abortedByPeer, "The other side closed the channel: \(abort.message.excerpt(Self.longestPart))")
        case .system(let errno):
            self.init(.system, "The channel can't be read: \(errno)", errno: errno)
        }
    }

    /// For a child that has not written a byte to its channel, and so may know nothing of it.
    static func notTaken(_ status: ChildProcess.ExitStatus) -> ForkError {
        ForkError(
            .notTaken,
            """
            The child has \(status), and took none of the messages that were sent to it. \
            It wrote nothing to its channel either: is it a program that uses this package, \
            and did it call Process.serve()?
            """)
    }
}

extension WireError {
    /// What to say of a length that is none: text that somebody has written between two frames. Nil for other errors.
    fileprivate var foreignText: String? {
        guard case .frameTooLong(let length) = self else { return nil }
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
        guard bytes.allSatisfy({ 0x20...0x7E ~= $0 || 0x09...0x0D ~= $0 }) else { return nil }
        return """
            the length of a frame is the characters \(bytes.escaped): something else writes to the channel's descriptor
            """
    }
}

extension [UInt8] {
    /// The bytes in quotes: ASCII as it is, and escapes for all else.
    fileprivate var escaped: String {
        let characters = map { byte in
            switch byte {
            case UInt8(ascii: "\n"): "\\n"
            case UInt8(ascii: "\r"): "\\r"
            case UInt8(ascii: "\t"): "\\t"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\\(Unicode.Scalar(byte))"
            case 0x20...0x7E: "\(Unicode.Scalar(byte))"
            default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return "\"\(characters.joined())\""
    }
}

extension Closing {
    fileprivate var explanation: String {
        switch self {
        case .byThisSide: "this side has disconnected"
        case .byPeer: "the other side has closed the channel"
        case .peerEnded: "the other process has ended"
        case .protocolViolation: "the channel was closed because the protocol was broken"
        }
    }
}
