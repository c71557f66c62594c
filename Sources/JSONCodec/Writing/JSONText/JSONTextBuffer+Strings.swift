extension JSONTextBuffer {
    /// The string in quotes, and a byte behind it. Returns where it stands, without the quotes.
    @inline(__always)
    mutating func append(quoted string: consuming String, then last: UInt8?) -> Range<Int> {
        string.withUTF8 { source in
            // Room for the bytes, for what is written beyond a short string, and for what stands around it.
            reserve(source.count + 16)
            start[count] = UInt8(ascii: "\"")
            count += 1
            let first = count
            append(escaped: source)
            let end = count
            start[end] = UInt8(ascii: "\"")
            if let last { start[end + 1] = last }
            count += last == nil ? 1 : 2
            return first..<end
        }
    }

    /// Copies eight bytes as they are and then looks at them. If one needs an escape, the escape takes the place of
    /// that byte and of what was copied behind it. There is room for the bytes and for ten more.
    @inline(__always)
    private mutating func append(escaped source: UnsafeBufferPointer<UInt8>) {
        guard let first = source.baseAddress else { return }
        let read = UnsafeRawPointer(first)
        let written = UnsafeMutableRawPointer(start + count)
        let length = source.count
        guard length >= 8 else {
            let word = EightBytes(shorter: read, count: length)
            written.storeBytes(of: word.bytes.littleEndian, as: UInt64.self)
            if word.mustEscape == 0 { count += length } else { appendRest(of: source, from: 0) }
            return
        }
        var position = 0
        while length - position >= 8 {
            let word = EightBytes(at: read + position)
            written.storeBytes(of: word.bytes.littleEndian, toByteOffset: position, as: UInt64.self)
            let found = word.mustEscape
            position += EightBytes.plainCount(before: found)
            if found != 0 { return appendRest(of: source, from: position) }
        }
        // The last eight bytes, of which some are known to be plain.
        let word = EightBytes(at: read + length - 8)
        written.storeBytes(of: word.bytes.littleEndian, toByteOffset: length - 8, as: UInt64.self)
        if word.mustEscape == 0 { count += length } else { appendRest(of: source, from: position) }
    }

    /// The bytes before `position` are plain, and are written already.
    @inline(never)
    private mutating func appendRest(of source: UnsafeBufferPointer<UInt8>, from position: Int) {
        guard let first = source.baseAddress else { return }
        var read = UnsafeRawPointer(first) + position
        let end = UnsafeRawPointer(first) + source.count
        count += position
        while true {
            // What is left, one escape, and what stands around the string.
            reserve(end - read + 16)
            var written = UnsafeMutableRawPointer(start + count)
            while end - read >= 8 {
                let word = EightBytes(at: read)
                written.storeBytes(of: word.bytes.littleEndian, as: UInt64.self)
                let found = word.mustEscape
                let plain = EightBytes.plainCount(before: found)
                read += plain
                written += plain
                if found != 0 { break }
            }
            var byte: UInt8 = 0
            while read < end {
                byte = read.load(as: UInt8.self)
                if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
                written.storeBytes(of: byte, as: UInt8.self)
                read += 1
                written += 1
            }
            count = written - UnsafeMutableRawPointer(start)
            guard read < end else { return }
            read += 1
            append(escape: byte)
        }
    }

    /// There is room for it.
    @inline(__always)
    private mutating func append(escape byte: UInt8) {
        start[count] = UInt8(ascii: "\\")
        let short: UInt8
        switch byte {
        case 0x0A: short = UInt8(ascii: "n")
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): short = byte
        case 0x08: short = UInt8(ascii: "b")
        case 0x09: short = UInt8(ascii: "t")
        case 0x0C: short = UInt8(ascii: "f")
        case 0x0D: short = UInt8(ascii: "r")
        default:
            start[count + 1] = UInt8(ascii: "u")
            start[count + 2] = UInt8(ascii: "0")
            start[count + 3] = UInt8(ascii: "0")
            start[count + 4] = UInt8(ascii: "0") + byte >> 4  // 0 or 1: only control characters come here
            let low = byte & 0x0F
            start[count + 5] = low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10
            count += 6
            return
        }
        start[count + 1] = short
        count += 2
    }
}
