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
        let writer = SplicingWriter()
        defer { writer.abandon() }
        let encoder = ValueEncoder(session: session, writer: writer)
        do {
            try encoder.encode(value)
            try session.finish()
            writer.finish()
            if numbersAreDoubles { try writer.buffer.pointee.requireDoubles() }
        } catch {
            session.end(error)
            throw error
        }
        session.end()
        bytes.append(contentsOf: writer.buffer.pointee.bytes)
    }

    /// Writes a value that is a scalar, and one that can be written, without all that an encoder needs. Each
    /// `unsafeBitCast` is from a type to itself.
    private static func appendScalar<T: Encodable>(
        _ value: T, _ numbersAreDoubles: Bool, to bytes: inout [UInt8]
    ) throws -> Bool {
        if T.self == String.self {
            let string = unsafeBitCast(value, to: String.self)
            // An escape for every 32 bytes needs no more memory than that.
            var text = JSONTextBuffer(capacity: string.utf8.count + string.utf8.count / 32 + 16)
            text.append(string: string)
            bytes.append(contentsOf: text.bytes)
            text.deallocate()
        } else if T.self == Int.self {
            var text = JSONTextBuffer(capacity: 32)
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
