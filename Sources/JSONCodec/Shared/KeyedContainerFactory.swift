/// Makes the keyed containers for a type of keys.
///
/// The standard library takes longer to make a generic type from its parameters, and to find how it conforms, than this
/// module takes to read or write a member. A factory has both answers in its own type. It is made for the second object
/// with keys of the same type, and is kept as long as the decoding or encoding lasts.
class KeyedContainerFactory<Key: CodingKey> {
    func container(of node: UInt32, depth: UInt32, in session: DecodingSession) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(ObjectDecodingContainer<Key>(session: session, node: node, depth: depth))
    }

    func container(of encoder: ValueEncoder) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(ObjectEncodingContainer<Key>(encoder: encoder))
    }
}

/// The keyed container of one decoding for some type of keys.
protocol TapeKeyedContainer: KeyedDecodingContainerProtocol {
    init(session: DecodingSession, node: UInt32, depth: UInt32)
}

/// The keyed container of one encoding for some type of keys.
protocol EncoderKeyedContainer: KeyedEncodingContainerProtocol {
    init(encoder: ValueEncoder)
}

final class EncodingContainerFactory<Writer: EncoderKeyedContainer>: KeyedContainerFactory<Writer.Key> {
    override func container(of encoder: ValueEncoder) -> KeyedEncodingContainer<Writer.Key> {
        KeyedEncodingContainer(Writer(encoder: encoder))
    }
}

final class DecodingContainerFactory<Reader: TapeKeyedContainer>: KeyedContainerFactory<Reader.Key> {
    override func container(
        of node: UInt32, depth: UInt32, in session: DecodingSession
    ) -> KeyedDecodingContainer<Reader.Key> {
        KeyedDecodingContainer(Reader(session: session, node: node, depth: depth))
    }
}

/// A factory for some type of keys. Whoever has it knows the type.
struct AnyKeyedContainerFactory {
    private let factory: AnyObject

    init<Key>(_ factory: KeyedContainerFactory<Key>) {
        self.factory = factory
    }

    /// - Parameter type: the same as that of the factory.
    @inline(__always)
    func cast<Key>(_ type: Key.Type) -> KeyedContainerFactory<Key> {
        // The caches of factories go by `ObjectIdentifier(Key.self)`, so what is found for a type was made for it.
        unsafeDowncast(factory, to: KeyedContainerFactory<Key>.self)
    }
}
