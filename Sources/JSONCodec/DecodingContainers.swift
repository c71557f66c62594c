/// The keyed container: the members of one object node.
struct ObjectReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let document: JSONDocument
    let node: TreeNode
    let path: CodingPath

    var codingPath: [any CodingKey] { path.keys }
    var allKeys: [Key] { node.members.compactMap { Key(stringValue: $0.key) } }

    func contains(_ key: Key) -> Bool { node.member(key.stringValue) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try member(key).isNull }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try member(key).value(type, in: document, at: .member(of: path, key))
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        guard let member = node.member(key.stringValue), !member.isNull else { return nil }
        return try member.value(type, in: document, at: .member(of: path, key))
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }

    /// The decoder of the member "super".
    func superDecoder() throws -> any Decoder {
        ValueDecoder(document: document, node: try member(PathKey.super), path: .member(of: path, PathKey.super))
    }

    private func decoder(_ key: Key) throws -> ValueDecoder {
        ValueDecoder(document: document, node: try member(key), path: .member(of: path, key))
    }

    private func member(_ key: some CodingKey) throws -> TreeNode {
        guard let member = node.member(key.stringValue) else {
            let description = "The object has no member \"\(key.stringValue)\"."
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: description))
        }
        return member
    }
}

/// The unkeyed container: the elements of one array node.
struct ArrayReader: UnkeyedDecodingContainer {
    let document: JSONDocument
    let node: TreeNode
    let path: CodingPath
    let count: Int?
    private(set) var currentIndex = 0

    init(document: JSONDocument, node: TreeNode, path: CodingPath, count: Int) {
        self.document = document
        self.node = node
        self.path = path
        self.count = count
    }

    var codingPath: [any CodingKey] { path.keys }
    var isAtEnd: Bool { currentIndex == count }

    mutating func decodeNil() throws -> Bool {
        let isNull = try element(Any?.self).isNull
        if isNull { currentIndex += 1 }
        return isNull
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try element(type).value(type, in: document, at: .element(of: path, currentIndex))
        currentIndex += 1
        return value
    }

    mutating func decodeIfPresent<T: Decodable>(_ type: T.Type) throws -> T? {
        if isAtEnd { return nil }
        return try decodeNil() ? nil : decode(type)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        let container = try decoder([String: Any].self).container(keyedBy: type)
        currentIndex += 1
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let container = try decoder([Any].self).unkeyedContainer()
        currentIndex += 1
        return container
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = try decoder((any Decoder).self)
        currentIndex += 1
        return decoder
    }

    private func decoder(_ type: Any.Type) throws -> ValueDecoder {
        ValueDecoder(document: document, node: try element(type), path: .element(of: path, currentIndex))
    }

    private func element(_ type: Any.Type) throws -> TreeNode {
        guard !isAtEnd else {
            let place = CodingPath.element(of: path, currentIndex)
            let description = "The array has only \(currentIndex) elements."
            throw DecodingError.valueNotFound(type, .init(codingPath: place.keys, debugDescription: description))
        }
        return node.element(currentIndex)
    }
}
