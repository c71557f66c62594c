/// Writes values as JSON text.
package enum JSONText {
    /// How deep arrays and objects may nest, which is also what ``JSONDocument`` accepts.
    ///
    /// A recursive type of that depth was measured to need, to encode or to decode, 1 MB of stack in release builds, 3
    /// MB in debug builds and 6 MB with AddressSanitizer; most of it is the standard library's. So 8 MB are enough, 512
    /// KB are not.
    package static let maximumDepth = 512

    /// An integer that no double equals, for a reader that has no other numbers.
    package struct IntegerBeyondDouble: Error, Equatable, Sendable {
        package let literal: String

        package init(literal: String) {
            self.literal = literal
        }
    }

    /// Appends the compact JSON text of a value.
    ///
    /// If this throws, `bytes` is what it was before.
    ///
    /// - Parameter numbersAreDoubles: the reader has no other numbers than doubles, as JavaScript: an integer that it
    ///   would take for another is refused. This is found out while the text is written, so no text is read for it.
    /// - Throws: `EncodingError` for what JSON cannot express (NaN, the same key twice in an object, more than 512
    ///   levels) and for a value that encodes nothing; ``IntegerBeyondDouble``; and whatever the value's `encode(to:)`
    ///   throws.
    package static func append(
        _ value: some Encodable, numbersAreDoubles: Bool = false, to bytes: inout [UInt8]
    ) throws {
        if try appendScalar(value, numbersAreDoubles, to: &bytes) { return }
        let session = EncodingSession()
        let writer = TextWriter()
        defer { writer.abandon() }
        let slot = EncodingSlot(session: session, writer: writer)
        do {
            try slot.encode(value)
            try session.finish()
            writer.finish()
            if numbersAreDoubles { try writer.text.pointee.requireDoubles() }
        } catch {
            session.end(error)
            throw error
        }
        session.end()
        bytes.append(contentsOf: writer.text.pointee.bytes)
    }

    /// Writes a value that is a scalar, and one that can be written, without all that an encoder needs. Each
    /// `unsafeBitCast` is from a type to itself.
    private static func appendScalar<T: Encodable>(
        _ value: T, _ numbersAreDoubles: Bool, to bytes: inout [UInt8]
    ) throws -> Bool {
        if T.self == String.self {
            let string = unsafeBitCast(value, to: String.self)
            // An escape for every 32 bytes needs no more memory than that.
            var text = Text(capacity: string.utf8.count + string.utf8.count / 32 + 16)
            text.append(string: string)
            bytes.append(contentsOf: text.bytes)
            text.deallocate()
        } else if T.self == Int.self {
            var text = Text(capacity: 32)
            defer { text.deallocate() }
            text.append(integer: unsafeBitCast(value, to: Int.self))
            if numbersAreDoubles { try text.requireDoubles() }
            bytes.append(contentsOf: text.bytes)
        } else {
            return false
        }
        return true
    }
}

/// What all parts of one call to ``JSONText/append(_:to:)`` share.
final class EncodingSession {
    /// How many `encode(to:)` may be on the stack at once.
    ///
    /// A value can recurse without nesting any JSON, through single-value containers, so this is counted apart.
    static let maximumRecursion = 640

    @exclusivity(unchecked) private var recursion = 0
    @exclusivity(unchecked) private var failure: (any Error)?
    /// Slots that nobody knows any more. The first holds the others.
    @exclusivity(unchecked) private var recycled: EncodingSlot?
    /// Those of super encoders, which may be written to up to the end.
    @exclusivity(unchecked) private var detached: [EncodingSlot] = []
    @exclusivity(unchecked) private var types = TypeCache<(any DirectlyEncodable.Type)?>()
    /// For each type of keys that was asked for twice.
    @exclusivity(unchecked) private var containerMakers = TypeCache<AnyContainerMaker>()
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
        while recycledSlot() != nil {}
        detached = []
    }

    /// Throws if anything went wrong, or if a super encoder was not used.
    func finish() throws {
        try check()
        for slot in detached { try slot.requireContent() }
    }

    // MARK: Slots

    /// Takes a slot that nobody else holds.
    func recycle(_ slot: EncodingSlot) {
        slot.reset()
        slot.outer = recycled
        recycled = slot
    }

    func detach(_ slot: EncodingSlot) {
        detached.append(slot)
    }

    func recycledSlot() -> EncodingSlot? {
        guard let slot = recycled else { return nil }
        recycled = slot.outer
        slot.outer = nil
        return slot
    }

    // MARK: Types

    /// The type itself, where it is one that is written directly. To ask a type for a conformance takes longer than to
    /// write a small object, so the answers are remembered.
    @inline(__always)
    func directType<T>(of type: T.Type) -> (any DirectlyEncodable.Type)? {
        if let known = types[ObjectIdentifier(T.self)] { return known }
        return types.add(T.self as? any DirectlyEncodable.Type, for: ObjectIdentifier(T.self))
    }

    /// The container that writes to a slot.
    ///
    /// `Key.self` is what counts: where that is a class, `type` may be one of its subclasses.
    @inline(__always)
    func container<Key: CodingKey>(keyedBy type: Key.Type, of slot: EncodingSlot) -> KeyedEncodingContainer<Key> {
        if let maker = containerMakers[ObjectIdentifier(Key.self)] { return maker.cast(type).container(of: slot) }
        return unknownContainer(keyedBy: type, of: slot)
    }

    @inline(never)
    private func unknownContainer<Key: CodingKey>(
        keyedBy type: Key.Type, of slot: EncodingSlot
    ) -> KeyedEncodingContainer<Key> {
        let id = ObjectIdentifier(Key.self)
        if keyTypes[id] != nil {
            containerMakers.add(AnyContainerMaker(WriterMaker<ObjectWriter<Key>>()), for: id)
        } else {
            keyTypes.add((), for: id)
        }
        return KeyedEncodingContainer(ObjectWriter<Key>(slot: slot))
    }

    // MARK: Failure

    static let ended: any Error = EncodingError.invalidValue(
        JSON.null, .init(codingPath: [], debugDescription: "The encoding that this encoder belonged to has ended."))

    func check() throws {
        if let failure { throw failure }
    }

    var hasFailed: Bool { failure != nil }

    @inline(__always)
    func recurse<T: Encodable>(into slot: EncodingSlot, _ value: T) throws {
        recursion += 1
        defer { recursion -= 1 }
        guard recursion <= Self.maximumRecursion else { throw endless(at: slot) }
        try value.encode(to: slot)
    }

    /// The error has no value: its text would show all of what is inside.
    private func endless(at slot: EncodingSlot) -> EncodingError {
        slot.invalid(
            JSON.null, "Values are encoded inside each other without end, or too deep; look for a cycle.")
    }
}
