/// The keyed container. Its generic functions witness the requirements for each scalar type too.
struct ObjectEncodingContainer<Key: CodingKey>: EncoderKeyedContainer {
    let encoder: ValueEncoder

    var codingPath: [any CodingKey] { encoder.path }

    func encodeNil(forKey key: Key) throws { try encoder.encodeNullMember(key) }

    @inline(__always)
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try encoder.encodeMember(value, key) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        nested(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { detached(AnyCodingKey.super) }

    func superEncoder(forKey key: Key) -> any Encoder { detached(key) }

    private func nested(_ key: some CodingKey) -> ValueEncoder {
        encoder.nested({ try encoder.beginMember(key) }, { encoder.child(at: .member(key)) })
    }

    private func detached(_ key: some CodingKey) -> ValueEncoder {
        encoder.nested({ try encoder.beginMember(key) }, { encoder.detachedChild(at: .member(key)) })
    }
}

/// The unkeyed container. Its generic function witnesses the requirements for each scalar type too.
struct ArrayEncodingContainer: UnkeyedEncodingContainer {
    let encoder: ValueEncoder

    var codingPath: [any CodingKey] { encoder.path }
    var count: Int { encoder.count }

    func encodeNil() throws { try encoder.encodeNullElement() }

    @inline(__always)
    func encode<T: Encodable>(_ value: T) throws { try encoder.encodeElement(value) }

    func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        nested().container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

    func superEncoder() -> any Encoder {
        encoder.nested({ try encoder.beginElement() }, { encoder.detachedChild(at: .element(encoder.count - 1)) })
    }

    private func nested() -> ValueEncoder {
        encoder.nested({ try encoder.beginElement() }, { encoder.child(at: .element(encoder.count - 1)) })
    }
}
