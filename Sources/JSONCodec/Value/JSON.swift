/// A JSON value of any kind.
///
/// It is made from literals, from text (``init(parsing:)``) or from an `Encodable` value (``init(encoding:)``), and
/// read through subscripts and the `…Value` properties, none of which traps.
///
/// Two numbers are equal when they denote the same number, whatever case holds them: `.integer(1) == .double(1.0)`.
/// Two strings, and two keys, are equal when they have the same Unicode scalars; `String` itself also takes canonically
/// equivalent strings for equal, but in JSON those are different data.
public enum JSON: Sendable {
    case null
    case bool(Bool)
    /// An integer that fits `Int64`.
    case integer(Int64)
    /// An integer above `Int64.max`. A smaller one is allowed here, and equals the same `integer`.
    case unsigned(UInt64)
    /// A number written with a fraction or an exponent. NaN and the infinities are not JSON and cannot be encoded.
    case double(Double)
    case string(String)
    case array([JSON])
    case object(Object)
}

extension JSON {
    /// Parses one JSON text as RFC 8259 defines it.
    ///
    /// - Throws: ``JSONError`` for anything else, also for duplicate keys, lone surrogates, more than 512 levels and
    ///   numbers that could be held only as another number.
    public init(parsing text: String) throws(JSONError) {
        var text = text
        let document = text.withUTF8 { bytes in
            Result { () throws(JSONError) in try JSONDocument(parsing: UnsafeRawBufferPointer(bytes)) }
        }
        self = try document.get().json
    }

    /// Turns a value into JSON, as sending it would.
    ///
    /// - Throws: `EncodingError`, or what the value's own `encode(to:)` throws.
    public init(encoding value: some Encodable) throws {
        self = try JSONDocument.encoding(value).json
    }

    /// Reads a value of type `T` out of this JSON.
    ///
    /// - Throws: `DecodingError` if the JSON does not fit the type; `EncodingError` if it holds NaN, an infinity or an
    ///   object that has a key twice, or nests deeper than 512 levels.
    public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONDocument.encoding(self).decode(type)
    }
}

extension JSONDocument {
    fileprivate static func encoding(_ value: some Encodable) throws -> JSONDocument {
        var bytes: [UInt8] = []
        try JSONText.append(value, to: &bytes)
        return try bytes.withUnsafeBytes { try JSONDocument(parsing: $0) }
    }
}

// MARK: - Reading

extension JSON {
    /// Whether this is `null`.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The string, or nil for any other kind.
    public var stringValue: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The boolean, or nil for any other kind.
    public var boolValue: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    /// The number as an `Int`, or nil when this is no number or `Int` cannot hold exactly that number. `3.0` is 3.
    public var integerValue: Int? { number?.exactly(Int.self) }

    /// The number as a `Double`, or nil when this is no number or it is an integer that would become another number.
    public var doubleValue: Double? { number?.faithfully(Double.self) }

    /// The elements, or nil for any other kind.
    public var arrayValue: [JSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members, or nil for any other kind.
    public var objectValue: Object? {
        if case .object(let object) = self { object } else { nil }
    }

    var number: JSONNumber? {
        switch self {
        case .integer(let integer): .integer(integer)
        case .unsigned(let unsigned): .unsigned(unsigned)
        case .double(let double): .double(double)
        case .null, .bool, .string, .array, .object: nil
        }
    }
}

// MARK: - Subscripts

extension JSON {
    /// The member of that name, or nil if there is none or this is no object.
    ///
    /// Setting a value adds or replaces the member, setting nil removes it (to store a null, set `.null`). `null`
    /// becomes an object when a value is set. On any other kind setting does nothing.
    public subscript(key: String) -> JSON? {
        get { objectValue?[key] }
        set {
            switch self {
            case .object(var object):
                self = .null  // so that `object` is the only owner and is changed in place
                object[key] = newValue
                self = .object(object)
            case .null:
                if let newValue { self = .object([key: newValue]) }
            case .bool, .integer, .unsigned, .double, .string, .array:
                break
            }
        }
    }

    /// The element at that index, or nil if there is none or this is no array.
    ///
    /// Setting a value replaces the element, or appends it when the index is the count; setting nil removes the
    /// element. Any other index, and any other kind than an array, is left as it is.
    public subscript(index: Int) -> JSON? {
        get {
            guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
            return elements[index]
        }
        set {
            guard case .array(var elements) = self, (0...elements.count).contains(index) else { return }
            self = .null  // so that `elements` is the only owner and is changed in place
            switch (newValue, index == elements.count) {
            case (let value?, true): elements.append(value)
            case (let value?, false): elements[index] = value
            case (nil, true): break
            case (nil, false): elements.remove(at: index)
            }
            self = .array(elements)
        }
    }
}
