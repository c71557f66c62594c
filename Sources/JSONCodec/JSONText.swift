/// Writes values as JSON text.
package enum JSONText {
    /// How deep arrays and objects may nest, which is also what ``JSONDocument`` accepts.
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
        swap(&writer.bytes, &bytes)
        defer { swap(&writer.bytes, &bytes) }
        do {
            try EncodingSlot(session: session, writer: writer).encode(value)
            try session.check()
            writer.finish()
        } catch {
            session.fail(error)
            writer.bytes.removeLast(writer.bytes.count - length)
            throw error
        }
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

    func check() throws {
        if let failure { throw failure }
    }

    var hasFailed: Bool { failure != nil }

    func recurse(_ value: Any, at slot: EncodingSlot, _ body: () throws -> Void) throws {
        recursion += 1
        defer { recursion -= 1 }
        guard recursion <= Self.maximumRecursion else {
            throw slot.invalid(value, "Values are encoded inside each other without end, or too deep; look for a cycle.")
        }
        try body()
    }
}
