/// The keyed container: the members of one object node.
struct ObjectDecodingContainer<Key: CodingKey>: TapeKeyedContainer {
    let session: DecodingSession
    let node: UInt32
    let depth: UInt32

    var codingPath: [any CodingKey] { session.reader.path(of: node, root: session.root) }

    var allKeys: [Key] {
        session.keyListings += 1
        let reader = session.reader
        var keys: [Key] = []
        var next = Int(node) + 1
        for _ in 0..<reader[Int(node)].count {
            if let key = Key(stringValue: reader.string(at: next)) { keys.append(key) }
            next = reader.end(of: next + 1)
        }
        return keys
    }

    func contains(_ key: Key) -> Bool {
        session.member(key.stringValue, of: node, depth: depth, isLast: false) != nil
    }

    func decodeNil(forKey key: Key) throws -> Bool {
        let value = session.member(key.stringValue, of: node, depth: depth, isLast: false)
        return try member(at: value, key).decodeNil()
    }

    @inline(__always)
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let value = session.member(key.stringValue, of: node, depth: depth, isLast: true)
        guard let value else { throw notFound(key) }
        return try session.value(type, at: place(of: value))
    }

    @inline(__always)
    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        let value = session.member(key.stringValue, of: node, depth: depth, isLast: true)
        guard let value, !session.reader[value].isKind(.null) else { return nil }
        return try session.value(type, at: place(of: value))
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try member(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try member(key).unkeyedContainer()
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }

    /// The decoder of the member "super".
    func superDecoder() throws -> any Decoder { try member(AnyCodingKey.super) }

    private func member(_ key: some CodingKey) throws -> TapeDecoder {
        try member(at: session.member(key.stringValue, of: node, depth: depth, isLast: true), key)
    }

    private func member(at value: Int?, _ key: some CodingKey) throws -> TapeDecoder {
        guard let value else { throw notFound(key) }
        return session.decoder(at: place(of: value))
    }

    @inline(__always)
    private func place(of value: Int) -> TapeDecoder.Place {
        TapeDecoder.Place(node: value, parent: node, index: 0, depth: Int(depth) + 1)
    }

    @inline(never)
    private func notFound(_ key: any CodingKey) -> DecodingError {
        let description = "The object has no member \"\(key.stringValue.excerpt())\"."
        return DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: description))
    }
}

/// The unkeyed container: the elements of one array node.
struct ArrayDecodingContainer: UnkeyedDecodingContainer {
    // Three words, so that `any UnkeyedDecodingContainer` holds it without an allocation.
    private let session: DecodingSession
    private let node: UInt32
    private let depth: UInt32
    /// The next element, and its index.
    private var next: UInt32
    private var index: UInt32 = 0

    init(session: DecodingSession, node: UInt32, depth: UInt32) {
        self.session = session
        self.node = node
        self.depth = depth
        next = node + 1
    }

    var codingPath: [any CodingKey] { session.reader.path(of: node, root: session.root) }
    var count: Int? { session.reader[Int(node)].count }
    var currentIndex: Int { Int(index) }
    var isAtEnd: Bool { Int(index) == session.reader[Int(node)].count }

    mutating func decodeNil() throws -> Bool {
        let isNull = try element(Any?.self).decodeNil()
        if isNull { advance() }
        return isNull
    }

    @inline(__always)
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try session.value(type, at: place(for: type))
        advance()
        return value
    }

    @inline(__always)
    mutating func decodeIfPresent<T: Decodable>(_ type: T.Type) throws -> T? {
        if isAtEnd { return nil }
        return try decodeNil() ? nil : decode(type)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        let container = try element([String: Any].self).container(keyedBy: type)
        advance()
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let container = try element([Any].self).unkeyedContainer()
        advance()
        return container
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = try element((any Decoder).self)
        advance()
        return decoder
    }

    @inline(__always)
    private mutating func advance() {
        next = UInt32(truncatingIfNeeded: session.reader.end(of: Int(next)))
        index += 1
    }

    @inline(__always)
    private func element(_ type: Any.Type) throws -> TapeDecoder {
        session.decoder(at: try place(for: type))
    }

    @inline(__always)
    private func place(for type: Any.Type) throws -> TapeDecoder.Place {
        guard !isAtEnd else { throw atEnd(type) }
        return TapeDecoder.Place(node: Int(next), parent: node, index: currentIndex, depth: Int(depth) + 1)
    }

    @inline(never)
    private func atEnd(_ type: Any.Type) -> DecodingError {
        let path = codingPath + [AnyCodingKey(currentIndex)]
        let description = "The array has only \(currentIndex) elements."
        return DecodingError.valueNotFound(type, .init(codingPath: path, debugDescription: description))
    }
}
