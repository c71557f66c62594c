/// Decodes the value of one node. It holds the document, so it may be kept (`superDecoder`) as long as one likes.
struct ValueDecoder: Decoder {
    // Three words, so that `any Decoder` holds it without an allocation.
    let document: JSONDocument
    let node: TreeNode
    let path: CodingPath

    var codingPath: [any CodingKey] { path.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard node.kind == .object else { throw node.mismatch([String: Any].self, wanted: "an object", at: path) }
        if document.hasUnusualKeys { try requireDistinctKeys() }
        return KeyedDecodingContainer(ObjectReader<Key>(document: document, node: node, path: path))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard node.kind == .array else { throw node.mismatch([Any].self, wanted: "an array", at: path) }
        return ArrayReader(document: document, node: node, path: path, count: node.elementCount)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    /// `CodingKey` and `Dictionary` compare strings by canonical equivalence and would drop one of two such members.
    private func requireDistinctKeys() throws {
        var seen: Set<String> = []
        for (key, _) in node.members where !seen.insert(key).inserted {
            throw node.corrupted("Two keys are both \"\(key)\" to String.==; decode the object as JSON.", at: path)
        }
    }
}

extension ValueDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { node.isNull }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try node.value(type, in: document, at: path)
    }
}

extension TreeNode {
    /// Decodes a value of any type; scalars and ``JSON`` are taken from the node without a decoder or a path.
    ///
    /// The containers' requirements for each scalar type are all witnessed by generic functions that end here. Each
    /// `unsafeBitCast` is from a type to itself, as the comparison before it has shown.
    @inline(__always)
    func value<T: Decodable>(
        _ type: T.Type, in document: JSONDocument, at path: @autoclosure () -> CodingPath
    ) throws -> T {
        if T.self == String.self { return unsafeBitCast(try decodedString(at: path()), to: T.self) }
        if T.self == Int.self { return unsafeBitCast(try decodedInteger(Int.self, at: path()), to: T.self) }
        if T.self == Bool.self { return unsafeBitCast(try decodedBool(at: path()), to: T.self) }
        if T.self == Double.self {
            return unsafeBitCast(try decodedFloatingPoint(Double.self, at: path()), to: T.self)
        }
        if T.self == Float.self { return unsafeBitCast(try decodedFloatingPoint(Float.self, at: path()), to: T.self) }
        if T.self == Int64.self { return unsafeBitCast(try decodedInteger(Int64.self, at: path()), to: T.self) }
        if T.self == Int32.self { return unsafeBitCast(try decodedInteger(Int32.self, at: path()), to: T.self) }
        if T.self == Int16.self { return unsafeBitCast(try decodedInteger(Int16.self, at: path()), to: T.self) }
        if T.self == Int8.self { return unsafeBitCast(try decodedInteger(Int8.self, at: path()), to: T.self) }
        if T.self == UInt.self { return unsafeBitCast(try decodedInteger(UInt.self, at: path()), to: T.self) }
        if T.self == UInt64.self { return unsafeBitCast(try decodedInteger(UInt64.self, at: path()), to: T.self) }
        if T.self == UInt32.self { return unsafeBitCast(try decodedInteger(UInt32.self, at: path()), to: T.self) }
        if T.self == UInt16.self { return unsafeBitCast(try decodedInteger(UInt16.self, at: path()), to: T.self) }
        if T.self == UInt8.self { return unsafeBitCast(try decodedInteger(UInt8.self, at: path()), to: T.self) }
        if T.self == JSON.self { return unsafeBitCast(json, to: T.self) }
        return try composite(type, in: document, at: path())
    }

    private func composite<T: Decodable>(_ type: T.Type, in document: JSONDocument, at path: CodingPath) throws -> T {
        if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self { return unsafeBitCast(try decodedInteger(Int128.self, at: path), to: T.self) }
            if T.self == UInt128.self { return unsafeBitCast(try decodedInteger(UInt128.self, at: path), to: T.self) }
        }
        let value = try T(from: ValueDecoder(document: document, node: self, path: path))
        // [Int: T] takes "1" and "01" for one key, and keeps one of the two values.
        if kind == .object, T.self is any CountedDictionary.Type, let dictionary = value as? any CountedDictionary,
            dictionary.count != memberCount
        {
            throw corrupted("Two keys of the object are the same key of \(type); decode the object as JSON.", at: path)
        }
        return value
    }
}

private protocol CountedDictionary {
    var count: Int { get }
}

extension Dictionary: CountedDictionary {}
