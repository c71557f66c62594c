internal import JSONCodec

/// The last frame of a side that gives the channel up.
package struct Abort: Equatable, Sendable, Codable {
    /// The code of a child that ends and has never taken a message, although some were sent to it.
    package static let notTaken = "notTaken"

    /// For programs: `protocolViolation` or `notTaken` in version 1.0; others may follow.
    package var code: String
    /// For people.
    package var message: String

    package init(code: String = "protocolViolation", message: String) {
        self.code = code
        self.message = message
    }

    /// The whole frame.
    package func frame() throws -> [UInt8] {
        try FrameEncoder.frame(.abort, json: self)
    }

    /// Never fails: the channel ends anyway, and an abort that can't be read says at least that.
    package init(body: UnsafeRawBufferPointer) {
        do {
            self = try JSONDocument(parsing: body).decode(Abort.self)
        } catch {
            self.init(code: "unreadable", message: "it gave no reason that can be read")
        }
    }
}
