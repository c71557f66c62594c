extension ValueEncoder: Encoder {
    var codingPath: [any CodingKey] { path }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        session.container(keyedBy: type, of: open(.object))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { ArrayEncodingContainer(encoder: open(.array)) }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension ValueEncoder: SingleValueEncodingContainer {
    func encodeNil() throws { try encodeNull() }
}

extension ValueEncoder {
    /// An encoder for a container or encoder that is returned by a function without `throws`. If no member can begin,
    /// the encoding fails, and what is written to the encoder is thrown away.
    func nested(_ begin: () throws -> Void, _ child: () -> ValueEncoder) -> ValueEncoder {
        do {
            try begin()
            return child()
        } catch {
            session.fail(error)
            return ValueEncoder(session: session, writer: SplicingWriter())
        }
    }
}
