internal import JSONCodec

/// What a message with the flag META says of itself. It travels in front of the message, in its first frame.
package struct MessageDescription: Equatable, Sendable {
    private struct Content: Equatable, Sendable {
        var name: String?
        var timeout: Int?
        var trace: [String: String] = [:]
    }

    /// Messages without one, which most are, shall not be larger for it.
    private final class Storage: Sendable {
        let content: Content

        init(_ content: Content) {
            self.content = content
        }
    }

    private let storage: Storage

    package init(name: String? = nil, timeout: Int? = nil, trace: [String: String] = [:]) {
        storage = Storage(Content(name: name, timeout: timeout, trace: trace))
    }

    /// The name of the request, or of the type of a plain message.
    package var name: String? { storage.content.name }
    /// How many milliseconds the sender waits for the end of the conversation.
    package var timeout: Int? { storage.content.timeout }
    /// The context for tracing.
    package var trace: [String: String] { storage.content.trace }

    package static func == (one: MessageDescription, other: MessageDescription) -> Bool {
        one.storage.content == other.storage.content
    }

    /// The most bytes that one may have: what its length can say.
    private static let largestCount = Int(UInt16.max)

    enum EncodingFailure: Error {
        case tooLong(Int)
    }

    /// Appends the length and the text.
    package func append(to bytes: inout [UInt8]) throws {
        var object = JSON.Object()
        if let name { object["name"] = .string(name) }
        if let timeout { object["timeout"] = .integer(Int64(timeout)) }
        if !trace.isEmpty {
            var members = JSON.Object()
            for (key, value) in trace.sorted(by: { $0.key < $1.key }) { members[key] = .string(value) }
            object["trace"] = .object(members)
        }
        let start = bytes.count
        bytes += [0, 0]
        try JSONText.append(JSON.object(object), to: &bytes)
        let count = bytes.count - start - 2
        if count > Self.largestCount { throw EncodingFailure.tooLong(count) }
        bytes[start] = UInt8(count >> 8)
        bytes[start + 1] = UInt8(count & 0xff)
    }

    /// Takes the description off the front of a frame's body, which is whole.
    package init(from body: inout UnsafeRawBufferPointer) throws(WireError) {
        guard body.count >= 2 else { throw .badMeta("its length is cut off") }
        let count = Int(body[0]) << 8 | Int(body[1])
        _ = body.removePrefix(2)
        guard body.count >= count else { throw .badMeta("it is cut off") }
        let document: JSONDocument
        do {
            document = try JSONDocument(parsing: body.removePrefix(count))
        } catch {
            throw .badMeta("\(error)")
        }
        guard case .object(let object) = document.json else { throw .badMeta("it is no object") }
        try self.init(object)
    }

    private init(_ object: JSON.Object) throws(WireError) {
        var content = Content()
        if let value = object["name"] {
            guard let text = value.stringValue else { throw .badMeta("its name is no string") }
            content.name = text
        }
        if let value = object["timeout"] {
            guard let number = value.integerValue, 0...WireNumber.largest ~= number else {
                throw .badMeta("its timeout is no integer from 0 to \(WireNumber.largest)")
            }
            content.timeout = number
        }
        if let value = object["trace"] {
            guard case .object(let members) = value else { throw .badMeta("its trace is no object") }
            for (key, value) in members {
                guard let text = value.stringValue else { throw .badMeta("its trace has a value that is no string") }
                content.trace[key] = text
            }
        }
        storage = Storage(content)
    }
}
