/// Decodes the value of one node. It holds the tape, so it may be kept (`superDecoder`) as long as one likes.
struct ValueDecoder: Decoder {
    // Three words, so that `any Decoder` holds it without an allocation.
    let session: DecodingSession
    private let place: (node: UInt32, parent: UInt32, index: UInt32, depth: UInt32)

    /// - Parameters:
    ///   - parent: the container around the value, and `index` its place where that is an array.
    ///   - depth: how many containers are around the value.
    @inline(__always)
    init(session: DecodingSession, node: Int, parent: UInt32, index: Int, depth: Int) {
        self.session = session
        place = (
            UInt32(truncatingIfNeeded: node), parent, UInt32(truncatingIfNeeded: index),
            UInt32(truncatingIfNeeded: depth)
        )
    }

    var node: Int { Int(place.node) }
    var depth: Int { Int(place.depth) }
    var reader: TapeReader { session.reader }
    var entry: TapeEntry { reader[node] }

    var codingPath: [any CodingKey] {
        guard place.parent != TapeEntry.none else { return [] }
        return reader.path(of: place.parent, root: session.root)
            + [reader.key(of: node, in: place.parent, index: Int(place.index))]
    }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try requireObject()
        return KeyedDecodingContainer(ObjectReader<Key>(session: session, node: place.node, depth: place.depth))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard entry.kind == .array else { throw mismatch([Any].self, wanted: "an array") }
        return ArrayReader(session: session, node: place.node, depth: place.depth)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    private func requireObject() throws {
        guard entry.kind == .object else { throw mismatch([String: Any].self, wanted: "an object") }
        if reader.hasUnusualKeys { try requireDistinctKeys() }
    }

    /// `CodingKey` and `Dictionary` compare strings by canonical equivalence and would drop one of two such members.
    private func requireDistinctKeys() throws {
        var seen: Set<String> = []
        var next = node + 1
        for _ in 0..<entry.count {
            let key = reader.string(at: next)
            guard seen.insert(key).inserted else {
                throw corrupted("Two keys are both \"\(key)\" to String.==; decode the object as JSON.")
            }
            next = reader.end(of: next + 1)
        }
    }
}

extension ValueDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { entry.kind == .null }

    @inline(__always)
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try value(type) }
}

extension ValueDecoder {
    /// Decodes a value of any type; scalars and ``JSON`` are taken from the tape without a decoder.
    ///
    /// The containers' requirements for each scalar type are all witnessed by generic functions that end here. They are
    /// inlined, so that for each of them only one of the comparisons is left.
    @inline(__always)
    func value<T: Decodable>(_ type: T.Type) throws -> T {
        if Self.isScalar(type) { return try scalar(type) }
        return try composite(type)
    }

    // What stands on the stack at every level is kept apart from what does not: the functions with many cases have large
    // frames in debug builds. Each `unsafeBitCast` is from a type to itself, as the comparison before it has shown.

    @inline(__always)
    private static func isScalar<T>(_ type: T.Type) -> Bool {
        T.self == String.self || T.self == Int.self || T.self == Bool.self || T.self == Double.self
            || T.self == Float.self
            || T.self == Int64.self || T.self == Int32.self || T.self == Int16.self || T.self == Int8.self
            || T.self == UInt.self
            || T.self == UInt64.self || T.self == UInt32.self || T.self == UInt16.self || T.self == UInt8.self
    }

    @inline(__always)
    private func scalar<T: Decodable>(_ type: T.Type) throws -> T {
        if T.self == String.self { return unsafeBitCast(try string(), to: T.self) }
        if T.self == Int.self { return unsafeBitCast(try integer(Int.self), to: T.self) }
        if T.self == Bool.self { return unsafeBitCast(try bool(), to: T.self) }
        if T.self == Double.self { return unsafeBitCast(try floatingPoint(Double.self), to: T.self) }
        if T.self == Float.self { return unsafeBitCast(try floatingPoint(Float.self), to: T.self) }
        if T.self == Int64.self { return unsafeBitCast(try integer(Int64.self), to: T.self) }
        if T.self == Int32.self { return unsafeBitCast(try integer(Int32.self), to: T.self) }
        if T.self == Int16.self { return unsafeBitCast(try integer(Int16.self), to: T.self) }
        if T.self == Int8.self { return unsafeBitCast(try integer(Int8.self), to: T.self) }
        if T.self == UInt.self { return unsafeBitCast(try integer(UInt.self), to: T.self) }
        if T.self == UInt64.self { return unsafeBitCast(try integer(UInt64.self), to: T.self) }
        if T.self == UInt32.self { return unsafeBitCast(try integer(UInt32.self), to: T.self) }
        if T.self == UInt16.self { return unsafeBitCast(try integer(UInt16.self), to: T.self) }
        if T.self == UInt8.self { return unsafeBitCast(try integer(UInt8.self), to: T.self) }
        return try composite(type)
    }

    /// Types that are none of the scalars, but need no decoder either.
    @inline(__always)
    private static func isFrequent<T>(_ type: T.Type) -> Bool {
        if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self || T.self == UInt128.self { return true }
        }
        return T.self == JSON.self || T.self == [String].self || T.self == [Int].self || T.self == [Double].self
    }

    @inline(never)
    private func frequent<T: Decodable>(_ type: T.Type) throws -> T {
        if T.self == JSON.self { return unsafeBitCast(reader.json(at: node), to: T.self) }
        if T.self == [String].self { return unsafeBitCast(try array(String.self), to: T.self) }
        if T.self == [Int].self { return unsafeBitCast(try array(Int.self), to: T.self) }
        if T.self == [Double].self { return unsafeBitCast(try array(Double.self), to: T.self) }
        if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self { return unsafeBitCast(try integer(Int128.self), to: T.self) }
            if T.self == UInt128.self { return unsafeBitCast(try integer(UInt128.self), to: T.self) }
        }
        return try T(from: self)
    }

    @inline(never)
    private func composite<T: Decodable>(_ type: T.Type) throws -> T {
        if Self.isFrequent(type) { return try frequent(type) }
        let keyListings = session.keyListings
        let value = try T(from: self)
        // [Int: T] takes "1" and "01" for one key, and keeps one of the two values. Only a type that has asked for all the
        // keys can be a dictionary, and to ask the type itself takes long.
        if session.keyListings != keyListings, entry.kind == .object, T.self is any CountedDictionary.Type,
            let dictionary = value as? any CountedDictionary, dictionary.count != entry.count
        {
            throw corrupted("Two keys of the object are the same key of \(type); decode the object as JSON.")
        }
        return value
    }

    /// The arrays of the standard library that are frequent.
    @inline(__always)
    private func array<Element: Decodable>(_ type: Element.Type) throws -> [Element] {
        guard entry.kind == .array else { throw mismatch([Any].self, wanted: "an array") }
        var elements: [Element] = []
        elements.reserveCapacity(entry.count)
        var next = node + 1
        for index in 0..<entry.count {
            let element = ValueDecoder(
                session: session, node: next, parent: place.node, index: index, depth: depth + 1)
            elements.append(try element.value(type))
            next = reader.end(of: next)
        }
        return elements
    }
}

private protocol CountedDictionary {
    var count: Int { get }
}

extension Dictionary: CountedDictionary {}
