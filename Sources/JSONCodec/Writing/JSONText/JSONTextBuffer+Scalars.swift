/// The text of scalars, and of ``JSON``.
extension JSONTextBuffer {
    @inline(__always)
    mutating func append(bool: Bool) {
        if bool { append(ascii: "true") } else { append(ascii: "false") }
    }

    @inline(__always)
    mutating func append<T: FixedWidthInteger>(integer: T) {
        if let small = Int64(exactly: integer) {
            append(magnitude: small.magnitude, isNegative: small < 0)
        } else {
            // Between Int64.max and UInt64.max, or it would have been refused.
            append(magnitude: UInt64(truncatingIfNeeded: integer), isNegative: false)
        }
    }

    private mutating func append(magnitude: UInt64, isNegative: Bool) {
        if magnitude > 1 << 53 { note(magnitude: magnitude, isNegative: isNegative) }
        reserve(21)
        if isNegative {
            start[count] = UInt8(ascii: "-")
            count += 1
        }
        var digitCount = 1
        var limit: UInt64 = 10
        while digitCount < 20, magnitude >= limit {
            digitCount += 1
            let (next, overflow) = limit.multipliedReportingOverflow(by: 10)
            if overflow { break }
            limit = next
        }
        var rest = magnitude
        var position = count + digitCount
        count = position
        repeat {
            let quotient = rest / 10
            position -= 1
            start[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest &- quotient &* 10)
            rest = quotient
        } while rest != 0
    }

    /// The shortest decimal form that reads back as the same number of that type. The caller has looked that it is
    /// finite.
    mutating func append(floatingPoint number: some BinaryFloatingPoint & CustomStringConvertible) {
        var text = number.description
        text.withUTF8 { append($0) }
    }

    /// The same text. A number of up to three decimals and fifteen digits is written as an integer with a point in it:
    /// no other decimal of fifteen digits or less is the same double, so none that is shorter.
    mutating func append(double: Double) {
        let scaled = double * 1000
        guard scaled.magnitude < 1e15, scaled != 0 else { return append(floatingPoint: double) }
        // To the nearest; the division, which is rounded once, shows whether it is the same number.
        let thousands = Int64(scaled + (scaled < 0 ? -0.5 : 0.5))
        guard Double(thousands) / 1000 == double else { return append(floatingPoint: double) }
        let (whole, fraction) = thousands.magnitude.quotientAndRemainder(dividingBy: 1000)
        append(magnitude: whole, isNegative: thousands < 0)
        reserve(4)
        start[count] = UInt8(ascii: ".")
        let digits = (fraction / 100, fraction / 10 % 10, fraction % 10)
        start[count + 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digits.0)
        start[count + 2] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digits.1)
        start[count + 3] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digits.2)
        count += digits.2 != 0 ? 4 : digits.1 != 0 ? 3 : 2
    }

    @inline(__always)
    mutating func append(string: String) {
        _ = append(quoted: string, then: nil)
    }

    /// Any JSON; NaN and the infinities as `nan`, `inf` and `-inf`.
    mutating func append(json: JSON) {
        switch json {
        case .null: append(ascii: "null")
        case .bool(let bool): append(bool: bool)
        case .integer(let integer): append(integer: integer)
        case .unsigned(let unsigned): append(integer: unsigned)
        case .double(let double): append(double: double)
        case .string(let string): append(string: string)
        case .array(let elements):
            append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                append(json: element)
            }
            append(UInt8(ascii: "]"))
        case .object(let object):
            append(UInt8(ascii: "{"))
            var isFirst = true
            object.forEachMember { key, value in
                _ = append(key: key, isFirst: isFirst)
                append(json: value)
                isFirst = false
            }
            append(UInt8(ascii: "}"))
        }
    }
}

// MARK: - Escapes

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

    /// Eight bytes are copied as they are and looked at; where one needs an escape, it takes the place of that byte and
    /// of what was copied behind it. There is room for the bytes and for ten more.
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
