/// How a peer broke the framing. After it nothing more can be read from the channel.
package enum WireError: Error, Equatable, Sendable {
    /// The length is smaller than the header that it counts.
    case lengthTooSmall(UInt32)
    /// A frame, or a message of several, is longer than this side takes.
    case tooLong(length: UInt64, limit: Int)
    case unknownKind(UInt8)
    case unknownFlags(UInt8)
    /// The first frame is not a hello.
    case noHello(FrameKind)
    case repeatedHello
    case badHello(String)
    case unsupportedVersion(Int)
    /// A fragment of another kind before the message was complete.
    case interruptedMessage(FrameKind)
    /// A control frame that says it is continued.
    case fragmentedControl(FrameKind)
    /// The stream ended inside a frame or between the fragments of a message.
    case truncated
    /// More or fewer descriptors came than the header says.
    case handlesDoNotMatch(announced: Int, received: Int)
    /// The peer asks for answers, and does not read them.
    case answersUnread
}

extension WireError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .lengthTooSmall(let length): "a frame has the length \(length), but its header alone is 4 bytes"
        case .tooLong(let length, let limit): "a message of at least \(length) bytes is over the limit of \(limit)"
        case .unknownKind(let kind): "a frame has the unknown kind \(kind)"
        case .unknownFlags(let flags): "a frame has the unknown flags \(flags)"
        case .noHello(let kind): "the first frame is a \(kind), not a hello"
        case .repeatedHello: "a second hello"
        case .badHello(let reason): "the hello can't be read: \(reason)"
        case .unsupportedVersion(let version):
            "the peer speaks version \(version) of the protocol, and this side version \(Hello.majorVersion)"
        case .interruptedMessage(let kind): "a \(kind) frame stands between the fragments of another message"
        case .fragmentedControl(let kind): "a \(kind) frame is marked as a fragment"
        case .truncated: "the stream ended in the middle of a message"
        case .handlesDoNotMatch(let announced, let received):
            "a frame announces \(announced) descriptors, and \(received) came"
        case .answersUnread: "the peer asked for answers without end, and did not read them"
        }
    }
}
