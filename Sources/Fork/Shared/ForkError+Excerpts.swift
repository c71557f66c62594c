internal import JSONCodec
internal import SystemPackage

extension String {
    /// A path, or the name of something, as a part of a message.
    var abbreviated: String { excerpt(ForkError.longestPart) }
}

extension FilePath {
    /// As a part of a message; bytes that are no UTF-8 are shown as U+FFFD.
    var abbreviated: String { string.abbreviated }
}

extension ForkError {
    /// The most characters of a message. It is a text for people and for logs, whatever a peer or a value puts into it.
    static let longestMessage = 800
    /// The most characters of a path of files, or of a text that somebody else wrote for people.
    static let longestPart = 200

    /// Any error as a part of a message.
    ///
    /// The text of a coding error would show the whole value, which may be megabytes and private, and a key for each
    /// level of depth; its description, and the ends of the path, are enough.
    static func describe(_ error: any Error) -> String {
        switch error {
        case EncodingError.invalidValue(_, let context):
            text("EncodingError", context.codingPath, context.debugDescription)
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.keyNotFound(_, let context), DecodingError.dataCorrupted(let context):
            text("DecodingError", context.codingPath, context.debugDescription)
        case let error as ForkError: error.description
        default: "\(error)".excerpt(longestPart)
        }
    }

    private static func text(_ type: String, _ path: [any CodingKey], _ description: String) -> String {
        let place = path.isEmpty ? "" : " at \(path.excerpt)"
        // Room for a type, the beginning of a message, and what is wrong with it.
        return "\(type)\(place): \(description.excerpt(2 * longestPart))"
    }
}
