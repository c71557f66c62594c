internal import JSONCodec
internal import Messaging

/// A message that arrived: JSON, or bytes.
///
/// It has been checked when it is delivered: reading it as ``json`` can't fail. It can be kept and passed to other tasks.
public struct Message: Sendable {
    let inbound: InboundMessage

    /// The message as a JSON value, made anew at each access; `.null` for a message of bytes.
    public var json: JSON {
        switch inbound.content {
        case .json(let document): document.json
        case .bytes: .null
        }
    }

    /// The bytes of a message sent with `send(bytes:)`; nil for a JSON message.
    public var bytes: [UInt8]? {
        switch inbound.content {
        case .json: nil
        case .bytes(let bytes): bytes
        }
    }

    /// The message as a value of the given type.
    ///
    /// - Throws: `DecodingError` with the path to the place that does not fit; for a message of bytes too.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        switch inbound.content {
        case .json(let document):
            return try document.decode(type)
        case .bytes:
            throw DecodingError.typeMismatch(
                type, .init(codingPath: [], debugDescription: "The message is bytes, not JSON; use `bytes`"))
        }
    }
}

extension Message: CustomStringConvertible {
    /// The JSON text, or how many bytes it is.
    public var description: String {
        switch inbound.content {
        case .json(let document): document.json.description
        case .bytes(let bytes): "\(bytes.count) bytes"
        }
    }
}
