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
        writer.buffer.pointee.open(.array)
        var isFirst = true
        for element in elements {
            writer.buffer.pointee.beginElement(isFirst: isFirst)
            isFirst = false
            _ = writeScalar(element)
        }
        writer.buffer.pointee.close(.array)
        return true
    }

    func encodeNullMember(_ key: some CodingKey) throws {
        try beginMember(key)
        writer.buffer.pointee.appendNull()
    }

    func encodeNullElement() throws {
        try beginElement()
        writer.buffer.pointee.appendNull()
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

    /// Writes a scalar. Returns false if the value is none.
    ///
    /// Each `unsafeBitCast` here and below is from a type to itself, as the comparison before it has shown.
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
