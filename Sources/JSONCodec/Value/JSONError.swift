/// Why a text is not accepted as JSON.
public struct JSONError: Error, Sendable, CustomStringConvertible {
    /// What kind of fault it is. Codes may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case syntax, invalidUTF8, tooDeep, textTooLong, duplicateKey, numberOutOfRange, loneSurrogate, parserFailure
        }

        private let kind: Kind

        /// The text breaks the grammar of RFC 8259.
        public static let syntax = Code(kind: .syntax)
        /// The text is not UTF-8.
        public static let invalidUTF8 = Code(kind: .invalidUTF8)
        /// Arrays and objects are nested deeper than the limit.
        public static let tooDeep = Code(kind: .tooDeep)
        /// The text is longer than the parser can count.
        public static let textTooLong = Code(kind: .textTooLong)
        /// An object has the same key twice.
        public static let duplicateKey = Code(kind: .duplicateKey)
        /// A number that neither a 64-bit integer nor a double can hold without becoming another number.
        public static let numberOutOfRange = Code(kind: .numberOutOfRange)
        /// A `\u` escape names one half of a surrogate pair, without the other half.
        public static let loneSurrogate = Code(kind: .loneSurrogate)
        /// json-c gave up on a valid text: out of memory, or a version that behaves differently.
        public static let parserFailure = Code(kind: .parserFailure)

        public var description: String { kind.rawValue }
    }

    /// What kind of fault it is.
    public let code: Code
    /// Where the fault was found, in bytes from the start of the text; nil if that is not known.
    public let offset: Int?
    /// What happened and what to do about it, as a sentence.
    public let message: String

    package init(_ code: Code, at offset: Int? = nil, _ message: String) {
        self.code = code
        self.offset = offset
        self.message = message
    }

    /// The message, followed by the place if that is known.
    public var description: String {
        guard let offset else { return "\(message) (\(code))" }
        return "\(message) (\(code) at byte \(offset))"
    }
}
