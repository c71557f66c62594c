/// Turns the escapes of a string that the scanner has accepted into the characters that they stand for.
enum JSONUnescaping {
    static func string(_ source: UnsafeRawBufferPointer) -> String {
        // A character never takes more bytes than its escape does.
        String(unsafeUninitializedCapacity: source.count) { unescape(source, into: $0) }
    }

    /// Returns how many bytes were written.
    ///
    /// - Parameter target: has as many bytes as the source at least.
    static func unescape(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<UInt8>) -> Int {
        guard let start = source.baseAddress, let targetStart = target.baseAddress else { return 0 }
        let end = start + source.count
        var read = start
        var written = UnsafeMutableRawPointer(targetStart)
        while true {
            // Eight bytes are copied as they are, whatever of them is needed: there is room for them, because what is
            // written is never more than what was read.
            while end - read >= 16 {
                let (word, second) = (EightBytes(at: read), EightBytes(at: read + 8))
                let found = word.backslashes & ~word.bytes | second.backslashes & ~second.bytes
                if found & EightBytes.tops != 0 { break }
                written.storeBytes(of: word.bytes.littleEndian, as: UInt64.self)
                written.storeBytes(of: second.bytes.littleEndian, toByteOffset: 8, as: UInt64.self)
                read += 16
                written += 16
            }
            while end - read >= 8 {
                let word = EightBytes(at: read)
                written.storeBytes(of: word.bytes.littleEndian, as: UInt64.self)
                // A byte beyond ASCII cannot be one, but its top bit would be in the way.
                let found = word.backslashes & ~word.bytes & EightBytes.tops
                let plain = EightBytes.plainCount(before: found)
                read += plain
                written += plain
                if found != 0 { break }
            }
            guard read < end else { break }
            let byte = read.load(as: UInt8.self)
            if byte == UInt8(ascii: "\\") {
                unescapeOne(&read, into: &written)
            } else {
                written.storeBytes(of: byte, as: UInt8.self)
                read += 1
                written += 1
            }
        }
        return written - UnsafeMutableRawPointer(targetStart)
    }

    @inline(__always)
    private static func unescapeOne(_ read: inout UnsafeRawPointer, into written: inout UnsafeMutableRawPointer) {
        let byte = read.load(fromByteOffset: 1, as: UInt8.self)
        if byte == UInt8(ascii: "u") {
            unescapeUnit(&read, into: &written)
            return
        }
        let character: UInt8 =
            switch byte {
            case UInt8(ascii: "n"): 0x0A
            case UInt8(ascii: "t"): 0x09
            case UInt8(ascii: "r"): 0x0D
            case UInt8(ascii: "b"): 0x08
            case UInt8(ascii: "f"): 0x0C
            default: byte
            }
        written.storeBytes(of: character, as: UInt8.self)
        read += 2
        written += 1
    }

    private static func unescapeUnit(_ read: inout UnsafeRawPointer, into written: inout UnsafeMutableRawPointer) {
        var scalar = unit(read + 2)
        read += 6
        if scalar & 0xF800 == 0xD800 {
            // The scanner has seen that the other half follows.
            scalar = 0x10000 + ((scalar & 0x3FF) << 10 | (unit(read + 2) & 0x3FF))
            read += 6
        }
        func write(_ byte: UInt32) {
            written.storeBytes(of: UInt8(truncatingIfNeeded: byte), as: UInt8.self)
            written += 1
        }
        switch scalar {
        case 0..<0x80:
            write(scalar)
        case 0..<0x800:
            write(0xC0 | scalar >> 6)
            write(0x80 | scalar & 0x3F)
        case 0..<0x10000:
            write(0xE0 | scalar >> 12)
            write(0x80 | scalar >> 6 & 0x3F)
            write(0x80 | scalar & 0x3F)
        default:
            write(0xF0 | scalar >> 18)
            write(0x80 | scalar >> 12 & 0x3F)
            write(0x80 | scalar >> 6 & 0x3F)
            write(0x80 | scalar & 0x3F)
        }
    }

    private static func unit(_ digits: UnsafeRawPointer) -> UInt32 {
        var unit: UInt32 = 0
        for offset in 0..<4 {
            let digit = digits.load(fromByteOffset: offset, as: UInt8.self)
            // Letters of both cases have their value less nine in the lowest four bits.
            unit = unit << 4 | UInt32(digit & 0xF) + (digit >= 0x40 ? 9 : 0)
        }
        return unit
    }
}
