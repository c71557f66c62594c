extension String {
    /// A string of bytes that the scanner has found to be UTF-8.
    @inline(__always)
    init(checkedUTF8 bytes: UnsafeRawBufferPointer, isASCII: Bool) {
        let bytes = bytes.assumingMemoryBound(to: UInt8.self)
        if #available(macOS 26, iOS 26, tvOS 26, watchOS 26, visionOS 26, *) {
            self.init(copying: UTF8Span(unchecked: bytes.span, isKnownASCII: isASCII))
        } else {
            self.init(decoding: bytes, as: UTF8.self)
        }
    }
}

/// Whether the bytes are the same, eight at a time; the last eight may have been looked at before.
@inline(__always)
func isEqual(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, count: Int) -> Bool {
    @inline(__always)
    func isEqual<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> Bool {
        left.loadUnaligned(fromByteOffset: offset, as: type) == right.loadUnaligned(fromByteOffset: offset, as: type)
    }
    switch count {
    case 8...:
        var position = 0
        while count - position > 8 {
            guard isEqual(at: position, as: UInt64.self) else { return false }
            position += 8
        }
        return isEqual(at: count - 8, as: UInt64.self)
    case 4...: return isEqual(at: 0, as: UInt32.self) && isEqual(at: count - 4, as: UInt32.self)
    case 2...: return isEqual(at: 0, as: UInt16.self) && isEqual(at: count - 2, as: UInt16.self)
    case 1: return isEqual(at: 0, as: UInt8.self)
    default: return true
    }
}
