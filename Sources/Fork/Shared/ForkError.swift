internal import JSONCodec
public import SystemPackage

/// What went wrong, and what can be done about it.
public struct ForkError: Error, Sendable {
    /// The kind of failure, for programs to compare. More may be added.
    public let code: Code
    /// What happened, for people: some hundred characters at most, with no more than the beginning of what a value or
    /// the other side says.
    public let message: String
    /// What the kernel said, if it did.
    public let errno: Errno?
    /// The error behind this one, if there is one: what a handler threw, why a value could not be encoded.
    public let cause: (any Error)?

    init(_ code: Code, _ message: String, errno: Errno? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message.excerpt(Self.longestMessage)
        self.errno = errno
        self.cause = cause
    }

    /// The kind of a ``ForkError``.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, Sendable {
            case launchFailed, invalidArgument, notForked, disconnected, queueFull, messageTooLong, notEncodable
            case invalidMessage, handlesLost, notSupported, protocolViolation, abortedByPeer, handlerFailed
            case streamClosed, outputTooLong, timedOut, notTaken, system
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The program could not be started; nothing of it remains.
        public static let launchFailed = Code(.launchFailed)
        /// A path, argument, variable or option that can't be used, such as one with a NUL byte in it.
        public static let invalidArgument = Code(.invalidArgument)
        /// `Process` was used in a program that no parent forked.
        public static let notForked = Code(.notForked)
        /// The channel takes no more messages: this side has disconnected, the other process has ended, or it has
        /// disconnected and all of its messages have been dealt with.
        public static let disconnected = Code(.disconnected)
        /// So much is waiting to be sent that nothing more is taken; the message was not queued.
        public static let queueFull = Code(.queueFull)
        /// The message is longer than the other side reads; it was not queued.
        public static let messageTooLong = Code(.messageTooLong)
        /// The value has no JSON form; nothing was sent.
        public static let notEncodable = Code(.notEncodable)
        /// One message from the other side could not be read. The following ones are.
        public static let invalidMessage = Code(.invalidMessage)
        /// One message was lost, because its handles could not be sent or received. The following ones are not.
        public static let handlesLost = Code(.handlesLost)
        /// The other side does not take what was to be sent: handles, or bytes if it is Node.js. Nothing was queued.
        public static let notSupported = Code(.notSupported)
        /// The other side does not follow the protocol. The channel has been closed.
        public static let protocolViolation = Code(.protocolViolation)
        /// The other side found this side's bytes wrong and has closed the channel.
        public static let abortedByPeer = Code(.abortedByPeer)
        /// A handler threw; see ``ForkError/cause``.
        public static let handlerFailed = Code(.handlerFailed)
        /// A stream of a child takes no more bytes: it has been finished, or the child has closed it or ended.
        public static let streamClosed = Code(.streamClosed)
        /// A child has written more than was asked for.
        public static let outputTooLong = Code(.outputTooLong)
        /// The time for something is over, and it has not come to its end.
        public static let timedOut = Code(.timedOut)
        /// A child has ended and never took a message, although some were sent to it.
        public static let notTaken = Code(.notTaken)
        /// The kernel refused something else.
        public static let system = Code(.system)

        public var description: String { kind.rawValue }
    }
}

extension ForkError: CustomStringConvertible {
    public var description: String {
        var text = "\(message) (\(code)"
        if let errno { text += ", errno \(errno.rawValue)" }
        return text + ")"
    }
}
