extension JSON: Codable {
    /// Takes whatever value the decoder holds; order is preserved by this module's own decoder only.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? TapeDecoder {
            self = withExtendedLifetime(decoder) { decoder.reader.json(at: decoder.node) }
        } else if let container = try? decoder.container(keyedBy: AnyCodingKey.self) {
            var object = Object()
            for key in container.allKeys { object[key.stringValue] = try container.decode(JSON.self, forKey: key) }
            self = .object(object)
        } else if var container = try? decoder.unkeyedContainer() {
            var elements: [JSON] = []
            while !container.isAtEnd { elements.append(try container.decode(JSON.self)) }
            self = .array(elements)
        } else {
            self = try Self.scalar(from: decoder.singleValueContainer())
        }
    }

    private static func scalar(from container: any SingleValueDecodingContainer) throws -> JSON {
        if container.decodeNil() { return .null }
        if let bool = try? container.decode(Bool.self) { return .bool(bool) }
        if let integer = try? container.decode(Int64.self) { return .integer(integer) }
        if let unsigned = try? container.decode(UInt64.self) { return .unsigned(unsigned) }
        if let double = try? container.decode(Double.self) { return .double(double) }
        return .string(try container.decode(String.self))
    }

    /// Writes the value as it is.
    ///
    /// - Throws: `EncodingError` for what JSON cannot express: NaN, the infinities, and an object from a literal that
    ///   has a key twice.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .null:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .bool(let bool): try bool.encode(to: encoder)
        case .integer(let integer): try integer.encode(to: encoder)
        case .unsigned(let unsigned): try unsigned.encode(to: encoder)
        case .double(let double): try double.encode(to: encoder)
        case .string(let string): try string.encode(to: encoder)
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(element) }
        case .object(let object):
            if let key = object.repeatedKey {
                throw EncodingError.repeated(AnyCodingKey(key), path: encoder.codingPath)
            }
            var container = encoder.container(keyedBy: AnyCodingKey.self)
            for (key, value) in object { try container.encode(value, forKey: AnyCodingKey(key)) }
        }
    }
}

extension EncodingError {
    /// An object has a key twice, which no reader could tell apart.
    static func repeated(_ key: some CodingKey, path: [any CodingKey]) -> EncodingError {
        let description =
            "The object has the key \"\(key.stringValue.excerpt())\" twice; give each member a key of its own."
        return .invalidValue(key.stringValue, Context(codingPath: path + [key], debugDescription: description))
    }
}

extension JSON.Object: Codable {
    /// - Throws: `DecodingError` when the value is no object.
    public init(from decoder: any Decoder) throws {
        guard case .object(let object) = try JSON(from: decoder) else {
            let context = DecodingError.Context(codingPath: decoder.codingPath, debugDescription: "Expected an object.")
            throw DecodingError.typeMismatch(JSON.Object.self, context)
        }
        self = object
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(JSON.object(self))
    }
}

extension JSON: CustomStringConvertible {
    /// The value as compact JSON text, which parses back to an equal value.
    ///
    /// What JSON does not have is shown as it is: NaN and the infinities as `nan`, `inf` and `-inf`, and both members
    /// of a key that a literal has twice. Such a text does not parse.
    public var description: String {
        var text = JSONTextBuffer()
        defer { text.deallocate() }
        text.append(json: self)
        return String(decoding: text.bytes, as: UTF8.self)
    }
}
