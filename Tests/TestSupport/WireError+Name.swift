package import Wire

extension WireError {
    /// The name that the specification gives it.
    package var name: String {
        switch self {
        case .lengthTooSmall: "lengthTooSmall"
        case .frameTooLong: "frameTooLong"
        case .unknownKind: "unknownKind"
        case .unknownFlags: "unknownFlags"
        case .noHello: "noHello"
        case .repeatedHello: "repeatedHello"
        case .badHello: "badHello"
        case .unsupportedVersion: "unsupportedVersion"
        case .flagsNotAllowed: "flagsNotAllowed"
        case .idNotAllowed: "idNotAllowed"
        case .wrongLength: "wrongLength"
        case .emptyFragment: "emptyFragment"
        case .handlesDoNotMatch: "handlesDoNotMatch"
        case .afterEnd: "afterEnd"
        case .idNotOpened: "idNotOpened"
        case .tooManyIDs: "tooManyIds"
        case .openedWithoutMeta: "openedWithoutMeta"
        case .interruptedMessage: "interruptedMessage"
        case .overCredit: "overCredit"
        case .badMeta: "badMeta"
        case .messageTooLong: "messageTooLong"
        case .truncated: "truncated"
        case .answersUnread: "answersUnread"
        }
    }
}
