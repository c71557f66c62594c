/// Makes the keyed containers for a type of keys.
///
/// To make a generic type from its parameters, and to find how it conforms, takes the standard library longer than to
/// read or write a member. An object of this class has the answers in its own type. So it is worth making for the
/// second object with keys of the same type, and is kept for as long as the decoding or encoding lasts.
class KeyedContainerMaker<Key: CodingKey> {
    func container(of node: UInt32, depth: UInt32, in session: DecodingSession) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(ObjectReader<Key>(session: session, node: node, depth: depth))
    }

    func container(of slot: EncodingSlot) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(ObjectWriter<Key>(slot: slot))
    }
}

/// The keyed container of one decoding for some type of keys.
protocol KeyedReader: KeyedDecodingContainerProtocol {
    init(session: DecodingSession, node: UInt32, depth: UInt32)
}

/// The keyed container of one encoding for some type of keys.
protocol KeyedWriter: KeyedEncodingContainerProtocol {
    init(slot: EncodingSlot)
}

final class WriterMaker<Writer: KeyedWriter>: KeyedContainerMaker<Writer.Key> {
    override func container(of slot: EncodingSlot) -> KeyedEncodingContainer<Writer.Key> {
        KeyedEncodingContainer(Writer(slot: slot))
    }
}

final class ReaderMaker<Reader: KeyedReader>: KeyedContainerMaker<Reader.Key> {
    override func container(
        of node: UInt32, depth: UInt32, in session: DecodingSession
    ) -> KeyedDecodingContainer<Reader.Key> {
        KeyedDecodingContainer(Reader(session: session, node: node, depth: depth))
    }
}

/// The maker for a type of keys, which is known to whoever has it.
struct AnyContainerMaker {
    private let maker: AnyObject

    init<Key>(_ maker: KeyedContainerMaker<Key>) {
        self.maker = maker
    }

    /// - Parameter type: the same as that of the maker.
    @inline(__always)
    func cast<Key>(_ type: Key.Type) -> KeyedContainerMaker<Key> {
        // The caches of makers go by `ObjectIdentifier(Key.self)`, so what is found for a type was made for it.
        unsafeDowncast(maker, to: KeyedContainerMaker<Key>.self)
    }
}
