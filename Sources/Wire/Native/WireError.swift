/// How a peer broke the framing. After it nothing more can be read from the channel.
package enum WireError: Error, Equatable, Sendable {
    /// The length is smaller than what it counts of the header.
    case lengthTooSmall(UInt32)
    case frameTooLong(UInt32)
    case unknownKind(UInt8)
    case unknownFlags(UInt8)
    /// The first frame is not a hello.
    case noHello(FrameKind)
    case repeatedHello
    case badHello(String)
    case unsupportedVersion(Int)
    case flagsNotAllowed(FrameKind, UInt8)
    case idNotAllowed(FrameKind, UInt64)
    /// A control frame has another length than its kind.
    case wrongLength(FrameKind, Int)
    /// A frame that is not the last of its message has no body.
    case emptyFragment(FrameKind)
    /// More or fewer descriptors came than the header says.
    case handlesDoNotMatch(announced: Int, received: Int)
    /// Data after the end of an id, or of all of them.
    case afterEnd(UInt64)
    case idNotOpened(UInt64)
    case tooManyIDs(UInt64, limit: UInt64)
    case openedWithoutMeta(UInt64)
    /// A frame of another kind, on the same id, before the message was complete.
    case interruptedMessage(FrameKind, UInt64)
    /// More data than the id had credit for.
    case overCredit(UInt64)
    case badMeta(String)
    /// A message, of one frame or several, is longer than this side takes.
    case messageTooLong(Int, limit: Int)
    /// The stream ended inside a frame or between the frames of a message.
    case truncated
    /// In the Node dialect: the peer asks for answers, and does not read them.
    case answersUnread
}

extension WireError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .lengthTooSmall(let length):
            "a frame has the length \(length), but its header alone is \(FrameHeader.countedSize) bytes"
        case .frameTooLong(let length): "a frame has the length \(length), and \(FrameHeader.largestLength) is the most"
        case .unknownKind(let kind): "a frame has the unknown kind \(kind)"
        case .unknownFlags(let flags): "a frame has the unknown flags \(flags)"
        case .noHello(let kind): "the first frame is a \(kind), not a hello"
        case .repeatedHello: "a second hello"
        case .badHello(let reason): "the hello can't be read: \(reason)"
        case .unsupportedVersion(let version):
            "the peer speaks version \(version) of the protocol, and this side version \(Hello.majorVersion)"
        case .flagsNotAllowed(let kind, let flags): "a \(kind) frame has the flags \(flags), which it can't have there"
        case .idNotAllowed(let kind, let id): "a \(kind) frame has the id \(id)"
        case .wrongLength(let kind, let count): "a \(kind) frame has a body of \(count) bytes"
        case .emptyFragment(let kind): "a \(kind) frame that goes on has no body"
        case .handlesDoNotMatch(let announced, let received):
            "a frame announces \(announced) descriptors, and \(received) came"
        case .afterEnd(let id): "data came after the end of the id \(id)"
        case .idNotOpened(let id): "a frame has the id \(id), which nobody has opened"
        case .tooManyIDs(let id, let limit): "the id \(id) was opened, and \(limit) is the highest that is allowed"
        case .openedWithoutMeta(let id): "the id \(id) was opened by a message that does not describe itself"
        case .interruptedMessage(let kind, let id):
            "a \(kind) frame stands between the frames of another message of the id \(id)"
        case .overCredit(let id): "more data came on the id \(id) than it had credit for"
        case .badMeta(let reason): "the description of a message can't be read: \(reason)"
        case .messageTooLong(let count, let limit): "a message of at least \(count) bytes is over the limit of \(limit)"
        case .truncated: "the stream ended in the middle of a message"
        case .answersUnread: "the peer asked for answers without end, and did not read them"
        }
    }
}
