/// A type of the standard library that can be written without the detour through its `encode(to:)`.
protocol DirectlyEncodable {
    func encode(into encoder: ValueEncoder) throws
}

extension DirectlyEncodable {
    /// The same for a value of this type that stands in memory.
    static func encode(at value: UnsafeRawPointer, into encoder: ValueEncoder) throws {
        try value.assumingMemoryBound(to: Self.self).pointee.encode(into: encoder)
    }
}

extension Optional: DirectlyEncodable where Wrapped: Encodable {
    func encode(into encoder: ValueEncoder) throws {
        if let value = self { try encoder.encode(value) } else { try encoder.encodeNull() }
    }
}

extension Array: DirectlyEncodable where Element: Encodable {
    func encode(into encoder: ValueEncoder) throws {
        let encoder = encoder.open(.array)
        for element in self { try encoder.encodeElement(element) }
    }
}

extension Dictionary: DirectlyEncodable where Key == String, Value: Encodable {
    func encode(into encoder: ValueEncoder) throws {
        let encoder = encoder.open(.object)
        for (key, value) in self { try encoder.encodeMember(value, AnyCodingKey(key)) }
    }
}

extension ValueEncoder {
    @inline(__always)
    func encodeMember<T: Encodable>(_ value: T, _ key: some CodingKey) throws {
        try requireEncodable(value, at: key)
        try beginMember(key)
        if writeScalar(value) { return }
        try encodeChild(value, at: .member(key))
    }

    @inline(__always)
    func encodeElement<T: Encodable>(_ value: T) throws {
        try requireEncodable(value, at: AnyCodingKey(count))
        try beginElement()
        if writeScalar(value) { return }
        try encodeChild(value, at: .element(count - 1))
    }

    @inline(never)
    private func encodeChild<T: Encodable>(_ value: T, at place: @autoclosure () -> Place) throws {
        // Each cast is from a type to itself, as the comparison before it has shown.
        if T.self == [String].self, writeArray(unsafeBitCast(value, to: [String].self)) { return }
        if T.self == [Int].self, writeArray(unsafeBitCast(value, to: [Int].self)) { return }
        let place = place()
        var child = child(at: place)
        try child.encodeComposite(value)
        // An array or object is still open; the writer gives it back.
        if isKnownUniquelyReferenced(&child) { session.recycle(child) }
    }

    /// Writes an array of scalars that can always be written, without an encoder of its own. Returns false if it would
    /// be too deep.
    @inline(__always)
    private func writeArray<T: Encodable>(_ elements: [T]) -> Bool {
        guard depth + 1 < JSONText.maximumDepth else { return false }
        writer.buffer.pointee.append(UInt8(ascii: "["))
        var isFirst = true
        for element in elements {
            if !isFirst { writer.buffer.pointee.append(UInt8(ascii: ",")) }
            isFirst = false
            _ = writeScalar(element)
        }
        writer.buffer.pointee.append(UInt8(ascii: "]"))
        return true
    }

    func encodeNullMember(_ key: some CodingKey) throws {
        try beginMember(key)
        writer.buffer.pointee.append(ascii: "null")
    }

    func encodeNullElement() throws {
        try beginElement()
        writer.buffer.pointee.append(ascii: "null")
    }

    /// The encoder of the member or element that has just begun.
    func child(at place: Place) -> ValueEncoder {
        if let encoder = session.recycledEncoder() {
            encoder.reuse(writer: writer, parent: self, place: place)
            return encoder
        }
        return ValueEncoder(session: session, writer: writer, parent: self, place: place)
    }

    /// The encoder of the member or element that has just begun, in a writer of its own.
    func detachedChild(at place: Place) -> ValueEncoder {
        let apart = writer.spliceValue(at: writer.buffer.pointee.count)
        let encoder = ValueEncoder(session: session, writer: apart, parent: self, place: place)
        session.detach(encoder)
        return encoder
    }

    /// Refuses the scalars that JSON has no form for, before anything is written for them.
    ///
    /// Each `unsafeBitCast` here and below is from a type to itself, as the comparison before it has shown.
    @inline(__always)
    func requireEncodable<T: Encodable>(_ value: T, at key: @autoclosure () -> (any CodingKey)? = nil) throws {
        if T.self == Double.self {
            guard unsafeBitCast(value, to: Double.self).isFinite else { throw notFinite(value, at: key()) }
        } else if T.self == Float.self {
            guard unsafeBitCast(value, to: Float.self).isFinite else { throw notFinite(value, at: key()) }
        } else if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self {
                let integer = unsafeBitCast(value, to: Int128.self)
                guard integer >= Int64.min && integer <= UInt64.max else { throw tooLarge(value, at: key()) }
            } else if T.self == UInt128.self {
                guard unsafeBitCast(value, to: UInt128.self) <= UInt64.max else { throw tooLarge(value, at: key()) }
            }
        }
    }

    private func notFinite(_ value: Any, at key: (any CodingKey)?) -> EncodingError {
        invalid(value, "JSON has no form for \(value); send null or a string.", at: key)
    }

    private func tooLarge(_ value: Any, at key: (any CodingKey)?) -> EncodingError {
        invalid(
            value, "\(value) has more than 64 bits, which most readers of JSON would round; send a string.", at: key)
    }

    /// Writes a scalar at the end of the text; false when the value is none.
    @inline(__always)
    func writeScalar<T: Encodable>(_ value: T) -> Bool {
        if T.self == String.self {
            writer.buffer.pointee.append(string: unsafeBitCast(value, to: String.self))
        } else if T.self == Int.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: Int.self))
        } else if T.self == Bool.self {
            writer.buffer.pointee.append(bool: unsafeBitCast(value, to: Bool.self))
        } else if T.self == Double.self {
            writer.buffer.pointee.append(double: unsafeBitCast(value, to: Double.self))
        } else if T.self == Float.self {
            writer.buffer.pointee.append(floatingPoint: unsafeBitCast(value, to: Float.self))
        } else {
            return writeRarerInteger(value)
        }
        return true
    }

    private func writeRarerInteger<T: Encodable>(_ value: T) -> Bool {
        if T.self == UInt8.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: UInt8.self))
        } else if T.self == Int64.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: Int64.self))
        } else if T.self == UInt64.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: UInt64.self))
        } else if T.self == Int32.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: Int32.self))
        } else if T.self == UInt32.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: UInt32.self))
        } else if T.self == UInt.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: UInt.self))
        } else if T.self == Int16.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: Int16.self))
        } else if T.self == UInt16.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: UInt16.self))
        } else if T.self == Int8.self {
            writer.buffer.pointee.append(integer: unsafeBitCast(value, to: Int8.self))
        } else if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self {
                writer.buffer.pointee.append(integer: unsafeBitCast(value, to: Int128.self))
            } else if T.self == UInt128.self {
                writer.buffer.pointee.append(integer: unsafeBitCast(value, to: UInt128.self))
            } else {
                return false
            }
        } else {
            return false
        }
        return true
    }
}
