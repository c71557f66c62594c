internal import JSONCodec
internal import Messaging
internal import Reactor

/// A message that arrived: JSON, or bytes, and the handles that came with it.
///
/// It has been checked when it is delivered: reading it as ``json`` can't fail. It can be kept and passed to other tasks.
/// Handles that nobody takes out of it are closed when the last copy of the message is gone.
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

    // MARK: Handles

    /// How many handles came with the message, taken or not.
    public var handleCount: Int { inbound.handles?.count ?? 0 }

    /// Takes the first handle that nobody has taken yet; nil where there is none. All copies of a message, and so all
    /// handlers that it is passed to, share its handles.
    public func takeHandle() -> Handle? {
        guard let descriptor = inbound.handles?.takeFirst() else { return nil }
        return Handle(descriptor)
    }

    /// Takes all handles that nobody has taken yet, in their order.
    public func takeHandles() -> Handles {
        guard let handles = inbound.handles else { return Handles() }
        return Handles(handles.takeAll())
    }
}

extension Message: CustomStringConvertible {
    /// The JSON text, or how many bytes it is, and how many handles came with it.
    public var description: String {
        let text =
            switch inbound.content {
            case .json(let document): document.json.description
            case .bytes(let bytes): "\(bytes.count) bytes"
            }
        return handleCount == 0 ? text : "\(text) with \(handleCount) handles"
    }
}
