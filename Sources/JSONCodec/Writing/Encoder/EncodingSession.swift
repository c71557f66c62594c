/// What all parts of one call to ``JSONText/append(_:numbersAreDoubles:to:)`` share.
final class EncodingSession {
    /// How many `encode(to:)` may be on the stack at once.
    ///
    /// A value can recurse without nesting any JSON, through single-value containers, so this is counted apart.
    static let maximumRecursion = 640

    @exclusivity(unchecked) private var recursion = 0
    @exclusivity(unchecked) private var failure: (any Error)?
    /// Encoders that nobody knows any more. The first holds the others.
    @exclusivity(unchecked) private var recycled: ValueEncoder?
    /// Those of super encoders, which may be written to up to the end.
    @exclusivity(unchecked) private var detached: [ValueEncoder] = []
    @exclusivity(unchecked) private var types = TypeCache<(any DirectlyEncodable.Type)?>()
    /// For each type of keys that was asked for twice.
    @exclusivity(unchecked) private var containerFactories = TypeCache<AnyKeyedContainerFactory>()
    @exclusivity(unchecked) private var keyTypes = TypeCache<Void>()

    /// Remembers the first failure: one that a function without `throws` met, or one after which the text is
    /// incomplete.
    func fail(_ error: any Error) {
        failure = failure ?? error
    }

    /// After this, an encoder or a container that somebody has kept refuses what is written to it.
    func end(_ error: any Error = EncodingSession.ended) {
        fail(error)
        // One by one: released as a chain they would need as much stack as there are.
        while recycledEncoder() != nil {}
        detached = []
    }

    /// Throws if anything went wrong, or if a super encoder was not used.
    func finish() throws {
        try check()
        for encoder in detached { try encoder.requireContent() }
    }

    // MARK: Encoders

    /// Takes an encoder that nobody else holds.
    func recycle(_ encoder: ValueEncoder) {
        encoder.reset()
        encoder.outer = recycled
        recycled = encoder
    }

    func detach(_ encoder: ValueEncoder) {
        detached.append(encoder)
    }

    func recycledEncoder() -> ValueEncoder? {
        guard let encoder = recycled else { return nil }
        recycled = encoder.outer
        encoder.outer = nil
        return encoder
    }

    // MARK: Types

    /// The type itself, if it is one that is written directly. To ask a type for a conformance takes longer than to
    /// write a small object, so the answers are remembered.
    @inline(__always)
    func directType<T>(of type: T.Type) -> (any DirectlyEncodable.Type)? {
        if let known = types[ObjectIdentifier(T.self)] { return known }
        return types.add(T.self as? any DirectlyEncodable.Type, for: ObjectIdentifier(T.self))
    }

    /// The container that writes to an encoder.
    ///
    /// `Key.self` is what counts: if that is a class, `type` may be one of its subclasses.
    @inline(__always)
    func container<Key: CodingKey>(keyedBy type: Key.Type, of encoder: ValueEncoder) -> KeyedEncodingContainer<Key> {
        if let factory = containerFactories[ObjectIdentifier(Key.self)] {
            return factory.cast(type).container(of: encoder)
        }
        return unknownContainer(keyedBy: type, of: encoder)
    }

    @inline(never)
    private func unknownContainer<Key: CodingKey>(
        keyedBy type: Key.Type, of encoder: ValueEncoder
    ) -> KeyedEncodingContainer<Key> {
        let id = ObjectIdentifier(Key.self)
        if keyTypes[id] != nil {
            let factory = EncodingContainerFactory<ObjectEncodingContainer<Key>>()
            containerFactories.add(AnyKeyedContainerFactory(factory), for: id)
        } else {
            keyTypes.add((), for: id)
        }
        return KeyedEncodingContainer(ObjectEncodingContainer<Key>(encoder: encoder))
    }

    // MARK: Failure

    static let ended: any Error = EncodingError.invalidValue(
        JSON.null, .init(codingPath: [], debugDescription: "The encoding that this encoder belonged to has ended."))

    func check() throws {
        if let failure { throw failure }
    }

    var hasFailed: Bool { failure != nil }

    @inline(__always)
    func recurse<T: Encodable>(into encoder: ValueEncoder, _ value: T) throws {
        recursion += 1
        defer { recursion -= 1 }
        guard recursion <= Self.maximumRecursion else { throw endless(at: encoder) }
        try value.encode(to: encoder)
    }

    /// The error has no value: its text would show all of what is inside.
    private func endless(at encoder: ValueEncoder) -> EncodingError {
        encoder.invalid(
            JSON.null, "Values are encoded inside each other without end, or too deep; look for a cycle.")
    }
}
