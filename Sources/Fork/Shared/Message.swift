internal import JSONCodec
internal import Messaging
internal import Reactor

/// A message that arrived: JSON, or bytes, and the handles that came with it.
///
/// It has been checked when it is delivered: reading it as ``json`` can't fail. It can be kept and passed to other
/// tasks. Handles that nobody takes out of it are closed when the last copy of the message is gone.
public struct Message: Sendable {
    let inbound: InboundMessage
    /// Its place among the messages that were told, by which those that nobody took are put in order again.
    let number: UInt64

    /// The message as a JSON value, made anew at each access; `.null` for a message of bytes, which are in ``bytes``.
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
    /// - Throws: `DecodingError` with the path to the place that does not fit, the name of the type, and the first 60
    ///   characters of the message. Also for a message of bytes, which has no JSON.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        switch inbound.content {
        case .json(let document):
            do {
                return try document.decode(type)
            } catch let error as DecodingError {
                throw error.naming(type, document)
            }
        case .bytes(let bytes):
            let what = "The message is \(bytes.count) bytes and no JSON, so it is no \(name(of: type)); use `bytes`."
            throw DecodingError.typeMismatch(type, .init(codingPath: [], debugDescription: what))
        }
    }

    /// For a handler of a type: tells a message that does not fit from what the handler itself throws.
    func decodeForHandler<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try decode(type)
        } catch {
            throw MismatchError(cause: error)
        }
    }

    // MARK: Handles

    /// How many handles came with the message, taken or not.
    public var handleCount: Int { inbound.handles?.count ?? 0 }

    /// Takes the first handle that nobody has taken yet; nil if there is none. All copies of a message, and so all
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

private func name(of type: Any.Type) -> String { "\(type)".excerpt(60) }

extension DecodingError {
    /// The same error, with a text that begins with the type that was wanted, and with what came.
    fileprivate func naming(_ type: Any.Type, _ document: JSONDocument) -> DecodingError {
        func naming(_ context: Context) -> Context {
            let description = "The message \(document.excerpt(60)) is no \(name(of: type)): \(context.debugDescription)"
            return Context(
                codingPath: context.codingPath, debugDescription: description, underlyingError: context.underlyingError)
        }
        return switch self {
        case .typeMismatch(let type, let context): .typeMismatch(type, naming(context))
        case .valueNotFound(let type, let context): .valueNotFound(type, naming(context))
        case .keyNotFound(let key, let context): .keyNotFound(key, naming(context))
        case .dataCorrupted(let context): .dataCorrupted(naming(context))
        @unknown default: self
        }
    }
}

/// A message does not fit the type of its handler, which has not been called.
struct MismatchError: Error {
    let cause: any Error
}
