/// Decodes the value of one node. It holds the tape, so it may be kept (`superDecoder`) as long as one likes.
struct TapeDecoder: Decoder {
    // Three words, so that `any Decoder` holds it without an allocation.
    let session: DecodingSession
    let place: Place

    /// Where the value stands: its node, the container around it, its index where that is an array, and how many
    /// containers are around the value.
    struct Place {
        let node: UInt32
        let parent: UInt32
        let index: UInt32
        let depth: UInt32

        @inline(__always)
        init(node: Int, parent: UInt32, index: Int, depth: Int) {
            self.node = UInt32(truncatingIfNeeded: node)
            self.parent = parent
            self.index = UInt32(truncatingIfNeeded: index)
            self.depth = UInt32(truncatingIfNeeded: depth)
        }
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
        return session.container(keyedBy: type, of: place.node, depth: place.depth)
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard entry.isKind(.array) else { throw mismatch([Any].self, wanted: "an array") }
        return ArrayDecodingContainer(session: session, node: place.node, depth: place.depth)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    private func requireObject() throws {
        guard entry.isKind(.object) else { throw mismatch([String: Any].self, wanted: "an object") }
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

extension TapeDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { entry.isKind(.null) }

    @inline(__always)
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try session.value(type, at: place) }
}

extension DecodingSession {
    /// Decodes a value of any type; scalars are taken from the tape without a decoder, which takes a reference to this.
    ///
    /// The containers' requirements for each scalar type are all witnessed by generic functions that end here. They are
    /// inlined, so that for each of them only one of the comparisons is left.
    @inline(__always)
    func value<T: Decodable>(_ type: T.Type, at place: TapeDecoder.Place) throws -> T {
        if Self.isScalar(type) { return try scalar(type, at: place) }
        return try composite(type, at: place)
    }

    // What stands on the stack at every level is kept apart from what does not: the functions with many cases have
    // large frames in debug builds. Each `unsafeBitCast` is from a type to itself, as the comparison before it has
    // shown.

    @inline(__always)
    private static func isScalar<T>(_ type: T.Type) -> Bool {
        T.self == String.self || T.self == Int.self || T.self == Bool.self || T.self == Double.self
            || T.self == Float.self
            || T.self == Int64.self || T.self == Int32.self || T.self == Int16.self || T.self == Int8.self
            || T.self == UInt.self
            || T.self == UInt64.self || T.self == UInt32.self || T.self == UInt16.self || T.self == UInt8.self
    }

    @inline(__always)
    private func scalar<T: Decodable>(_ type: T.Type, at place: TapeDecoder.Place) throws -> T {
        if T.self == String.self { return unsafeBitCast(try string(at: place), to: T.self) }
        if T.self == Int.self { return unsafeBitCast(try integer(Int.self, at: place), to: T.self) }
        if T.self == Bool.self { return unsafeBitCast(try bool(at: place), to: T.self) }
        if T.self == Double.self { return unsafeBitCast(try double(at: place), to: T.self) }
        return try rarerScalar(type, at: place)
    }

    @inline(__always)
    private func rarerScalar<T: Decodable>(_ type: T.Type, at place: TapeDecoder.Place) throws -> T {
        if T.self == Float.self {
            return unsafeBitCast(try decoder(at: place).floatingPoint(Float.self), to: T.self)
        }
        if T.self == Int64.self { return unsafeBitCast(try integer(Int64.self, at: place), to: T.self) }
        if T.self == Int32.self { return unsafeBitCast(try integer(Int32.self, at: place), to: T.self) }
        if T.self == Int16.self { return unsafeBitCast(try integer(Int16.self, at: place), to: T.self) }
        if T.self == Int8.self { return unsafeBitCast(try integer(Int8.self, at: place), to: T.self) }
        if T.self == UInt.self { return unsafeBitCast(try integer(UInt.self, at: place), to: T.self) }
        if T.self == UInt64.self { return unsafeBitCast(try integer(UInt64.self, at: place), to: T.self) }
        if T.self == UInt32.self { return unsafeBitCast(try integer(UInt32.self, at: place), to: T.self) }
        if T.self == UInt16.self { return unsafeBitCast(try integer(UInt16.self, at: place), to: T.self) }
        if T.self == UInt8.self { return unsafeBitCast(try integer(UInt8.self, at: place), to: T.self) }
        return try composite(type, at: place)
    }

    @inline(__always)
    func decoder(at place: TapeDecoder.Place) -> TapeDecoder { TapeDecoder(session: self, place: place) }

    @inline(never)
    private func composite<T: Decodable>(_ type: T.Type, at place: TapeDecoder.Place) throws -> T {
        let isObject = reader[Int(place.node)].isKind(.object)
        if Self.isWithoutDecoder(type) || !isObject && Self.isFrequentArray(type) {
            return try frequent(type, at: place)
        }
        if !isObject, reader[Int(place.node)].isKind(.array), let array = arrayType(type) {
            return try directly(type, array, at: place)
        }
        let keyListings = keyListings
        let value = try type.init(from: decoder(at: place))
        if isObject, self.keyListings != keyListings { try requireAllKeys(in: value, at: place) }
        return value
    }

    /// [Int: T] takes "1" and "01" for one key, and keeps one of the two values. Only a type that has asked for all the
    /// keys can be a dictionary, and to ask the type itself takes long.
    @inline(never)
    private func requireAllKeys<T>(in value: T, at place: TapeDecoder.Place) throws {
        if T.self is any CountedDictionary.Type, let dictionary = value as? any CountedDictionary,
            dictionary.count != reader[Int(place.node)].count
        {
            throw decoder(at: place).corrupted(
                "Two keys of the object are the same key of \(T.self); decode the object as JSON.")
        }
    }

    private func directly<T: Decodable, Direct: DirectlyDecodable>(
        _ type: T.Type, _ direct: Direct.Type, at place: TapeDecoder.Place
    ) throws -> T {
        // From a type to itself: `direct` was made of it.
        unsafeBitCast(try Direct.decode(in: self, at: place), to: T.self)
    }

    /// Types that are none of the scalars, but need no decoder either.
    @inline(__always)
    private static func isWithoutDecoder<T>(_ type: T.Type) -> Bool {
        if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self || T.self == UInt128.self { return true }
        }
        return T.self == JSON.self
    }

    @inline(__always)
    private static func isFrequentArray<T>(_ type: T.Type) -> Bool {
        T.self == [String].self || T.self == [Int].self || T.self == [Double].self
    }

    @inline(never)
    private func frequent<T: Decodable>(_ type: T.Type, at place: TapeDecoder.Place) throws -> T {
        if T.self == JSON.self { return unsafeBitCast(reader.json(at: Int(place.node)), to: T.self) }
        if T.self == [String].self { return unsafeBitCast(try array(String.self, at: place), to: T.self) }
        if T.self == [Int].self { return unsafeBitCast(try array(Int.self, at: place), to: T.self) }
        if T.self == [Double].self { return unsafeBitCast(try array(Double.self, at: place), to: T.self) }
        if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self { return unsafeBitCast(try integer(Int128.self, at: place), to: T.self) }
            if T.self == UInt128.self { return unsafeBitCast(try integer(UInt128.self, at: place), to: T.self) }
        }
        return try type.init(from: decoder(at: place))
    }

    /// The arrays of the standard library that are frequent.
    @inline(__always)
    private func array<Element: Decodable>(_ type: Element.Type, at place: TapeDecoder.Place) throws -> [Element] {
        let reader = reader
        let entry = reader[Int(place.node)]
        guard entry.isKind(.array) else { throw decoder(at: place).mismatch([Any].self, wanted: "an array") }
        var elements: [Element] = []
        elements.reserveCapacity(entry.count)
        var next = Int(place.node) + 1
        for index in 0..<entry.count {
            let element = TapeDecoder.Place(node: next, parent: place.node, index: index, depth: Int(place.depth) + 1)
            elements.append(try value(type, at: element))
            next = reader.end(of: next)
        }
        return elements
    }
}

private protocol CountedDictionary {
    var count: Int { get }
}

extension Dictionary: CountedDictionary {}
