extension EncodingSlot: Encoder {
    var codingPath: [any CodingKey] { path }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        session.container(keyedBy: type, of: open(.object))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { ArrayWriter(slot: open(.array)) }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension EncodingSlot: SingleValueEncodingContainer {
    func encodeNil() throws { try encodeNull() }
}

extension EncodingSlot {
    /// A slot for a container or encoder that is returned by a function without `throws`. Where no member can begin,
    /// the encoding fails, and what is written to the slot is thrown away.
    fileprivate func nested(_ begin: () throws -> Void, _ child: () -> EncodingSlot) -> EncodingSlot {
        do {
            try begin()
            return child()
        } catch {
            session.fail(error)
            return EncodingSlot(session: session, writer: TextWriter())
        }
    }
}

/// The keyed container. Its generic functions witness the requirements for each scalar type too.
struct ObjectWriter<Key: CodingKey>: KeyedWriter {
    let slot: EncodingSlot

    var codingPath: [any CodingKey] { slot.path }

    func encodeNil(forKey key: Key) throws { try slot.encodeNullMember(key) }

    @inline(__always)
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try slot.encodeMember(value, key) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        nested(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { detached(PathKey.super) }

    func superEncoder(forKey key: Key) -> any Encoder { detached(key) }

    private func nested(_ key: some CodingKey) -> EncodingSlot {
        slot.nested({ try slot.beginMember(key) }, { slot.child(at: .member(key)) })
    }

    private func detached(_ key: some CodingKey) -> EncodingSlot {
        slot.nested({ try slot.beginMember(key) }, { slot.detachedChild(at: .member(key)) })
    }
}

/// The unkeyed container. Its generic function witnesses the requirements for each scalar type too.
struct ArrayWriter: UnkeyedEncodingContainer {
    let slot: EncodingSlot

    var codingPath: [any CodingKey] { slot.path }
    var count: Int { slot.count }

    func encodeNil() throws { try slot.encodeNullElement() }

    @inline(__always)
    func encode<T: Encodable>(_ value: T) throws { try slot.encodeElement(value) }

    func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        nested().container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

    func superEncoder() -> any Encoder {
        slot.nested({ try slot.beginElement() }, { slot.detachedChild(at: .element(slot.count - 1)) })
    }

    private func nested() -> EncodingSlot {
        slot.nested({ try slot.beginElement() }, { slot.child(at: .element(slot.count - 1)) })
    }
}
