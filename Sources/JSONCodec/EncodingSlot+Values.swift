/// A type of the standard library that can be written without the detour through its `encode(to:)`.
protocol DirectlyEncodable {
    func encode(into slot: EncodingSlot) throws
}

extension Optional: DirectlyEncodable where Wrapped: Encodable {
    func encode(into slot: EncodingSlot) throws {
        if let value = self { try slot.encode(value) } else { try slot.encodeNull() }
    }
}

extension Array: DirectlyEncodable where Element: Encodable {
    func encode(into slot: EncodingSlot) throws {
        let slot = slot.open(.array)
        for element in self { try slot.encodeElement(element) }
    }
}

extension Dictionary: DirectlyEncodable where Key == String, Value: Encodable {
    func encode(into slot: EncodingSlot) throws {
        let slot = slot.open(.object)
        for (key, value) in self { try slot.encodeMember(value, PathKey(key)) }
    }
}

extension EncodingSlot {
    func encodeMember<T: Encodable>(_ value: T, _ key: some CodingKey) throws {
        try requireEncodable(value, at: key)
        try beginMember(key)
        if try writeScalar(value) { return }
        try child(key).encode(value)
    }

    func encodeElement<T: Encodable>(_ value: T) throws {
        try requireEncodable(value, at: PathKey(count))
        try beginElement()
        if try writeScalar(value) { return }
        try child(PathKey(count - 1)).encode(value)
    }

    func encodeNullMember(_ key: some CodingKey) throws {
        try beginMember(key)
        writer.text.pointee.bytes.append(ascii: "null")
    }

    func encodeNullElement() throws {
        try beginElement()
        writer.text.pointee.bytes.append(ascii: "null")
    }

    /// The slot of the member or element that has just begun.
    func child(_ key: some CodingKey) -> EncodingSlot {
        EncodingSlot(session: session, writer: writer, parent: self, key: key)
    }

    /// The slot of the member or element that has just begun, in a writer of its own.
    func detachedChild(_ key: some CodingKey) -> EncodingSlot {
        let apart = writer.spliceValue(at: writer.text.pointee.bytes.count)
        return EncodingSlot(session: session, writer: apart, parent: self, key: key)
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
    func writeScalar<T: Encodable>(_ value: T) throws -> Bool {
        if T.self == String.self {
            writer.text.pointee.bytes.append(string: unsafeBitCast(value, to: String.self))
        } else if T.self == Int.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: Int.self))
        } else if T.self == Bool.self {
            writer.text.pointee.bytes.append(bool: unsafeBitCast(value, to: Bool.self))
        } else if T.self == Double.self {
            writer.text.pointee.bytes.append(floatingPoint: unsafeBitCast(value, to: Double.self))
        } else if T.self == Float.self {
            writer.text.pointee.bytes.append(floatingPoint: unsafeBitCast(value, to: Float.self))
        } else {
            return writeRarerInteger(value)
        }
        return true
    }

    private func writeRarerInteger<T: Encodable>(_ value: T) -> Bool {
        if T.self == UInt8.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: UInt8.self))
        } else if T.self == Int64.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: Int64.self))
        } else if T.self == UInt64.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: UInt64.self))
        } else if T.self == Int32.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: Int32.self))
        } else if T.self == UInt32.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: UInt32.self))
        } else if T.self == UInt.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: UInt.self))
        } else if T.self == Int16.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: Int16.self))
        } else if T.self == UInt16.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: UInt16.self))
        } else if T.self == Int8.self {
            writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: Int8.self))
        } else if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self {
                writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: Int128.self))
            } else if T.self == UInt128.self {
                writer.text.pointee.bytes.append(integer: unsafeBitCast(value, to: UInt128.self))
            } else {
                return false
            }
        } else {
            return false
        }
        return true
    }
}
