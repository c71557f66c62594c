/// Writes values as JSON text.
package enum JSONText {
    /// How deep arrays and objects may nest, which is also what ``JSONDocument`` accepts.
    ///
    /// A recursive type of that depth was measured to need, to encode or to decode, 1 MB of stack in release builds, 3 MB in
    /// debug builds and 6 MB with AddressSanitizer; most of it is the standard library's. So 8 MB are enough, 512 KB are not.
    package static let maximumDepth = 512

    /// Appends the compact JSON text of a value.
    ///
    /// A value that encodes nothing is `{}`. Where this throws, `bytes` is what it was before.
    ///
    /// - Throws: `EncodingError` for what JSON cannot express (NaN, the same key twice in an object, more than 512 levels),
    ///   and whatever the value's `encode(to:)` throws.
    package static func append(_ value: some Encodable, to bytes: inout [UInt8]) throws {
        let length = bytes.count
        let session = EncodingSession()
        let writer = TextWriter()
        swap(&writer.text.pointee.bytes, &bytes)
        defer {
            writer.abandon()
            swap(&writer.text.pointee.bytes, &bytes)
        }
        let slot = EncodingSlot(session: session, writer: writer)
        do {
            try slot.encode(value)
            try session.check()
            writer.finish()
        } catch {
            writer.text.pointee.bytes.removeLast(writer.text.pointee.bytes.count - length)
            session.fail(error)
            throw error
        }
        session.end()
    }
}

/// What all parts of one call to ``JSONText/append(_:to:)`` share.
final class EncodingSession {
    /// How many `encode(to:)` may be on the stack at once.
    ///
    /// A value can recurse without nesting any JSON, through single-value containers, so this is counted apart.
    static let maximumRecursion = 640

    private var recursion = 0
    private var failure: (any Error)?

    /// Remembers the first failure: one that a function without `throws` met, or one after which the text is incomplete.
    func fail(_ error: any Error) {
        failure = failure ?? error
    }

    /// After this, an encoder or a container that somebody has kept refuses what is written to it.
    func end() {
        fail(Self.ended)
    }

    private static let ended: any Error = EncodingError.invalidValue(
        JSON.null, .init(codingPath: [], debugDescription: "The encoding that this encoder belonged to has ended."))

    func check() throws {
        if let failure { throw failure }
    }

    var hasFailed: Bool { failure != nil }

    func recurse<T>(_ value: T, at slot: EncodingSlot, _ body: () throws -> Void) throws {
        recursion += 1
        defer { recursion -= 1 }
        guard recursion <= Self.maximumRecursion else {
            throw slot.invalid(
                value, "Values are encoded inside each other without end, or too deep; look for a cycle.")
        }
        try body()
    }
}
