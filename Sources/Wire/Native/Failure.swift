/// The body of a failure: the end of a conversation by an error.
package struct Failure: Equatable, Sendable, Codable {
    /// The code where nobody takes what was asked for.
    package static let unknownRequest = "unknownRequest"

    /// For programs.
    package var code: String
    /// For people.
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}
