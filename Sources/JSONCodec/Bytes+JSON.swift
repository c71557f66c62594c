/// The text of scalars, and of ``JSON``.
extension [UInt8] {
    mutating func append(ascii text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(bool: Bool) {
        append(ascii: bool ? "true" : "false")
    }

    mutating func append<T: FixedWidthInteger>(integer: T) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 40) { digits in  // Int128 has 39 digits and a sign
            var start = digits.count
            var rest = integer.magnitude
            repeat {
                let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
                rest = quotient
            } while rest != 0
            if integer < 0 {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: digits[start...]))
        }
    }

    /// The shortest decimal form that reads back as the same number of that type. The caller has looked that it is finite.
    mutating func append(floatingPoint number: some BinaryFloatingPoint & CustomStringConvertible) {
        var text = number.description
        text.withUTF8 { append(contentsOf: $0) }
    }

    mutating func append(string: String) {
        append(UInt8(ascii: "\""))
        append(escaped: string)
        append(UInt8(ascii: "\""))
    }

    /// The string without the quotes around it.
    mutating func append(escaped string: String) {
        var string = string
        string.withUTF8 { text in
            var plain = 0  // where the run of bytes that need no escape begins
            var position = 0
            while true {
                position += Self.plainPrefix(of: text, from: position)
                guard position < text.count else { break }
                append(contentsOf: UnsafeBufferPointer(rebasing: text[plain..<position]))
                append(escape: text[position])
                position += 1
                plain = position
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: text[plain...]))
        }
    }

    /// How many bytes from there on need no escape. Eight at a time; see ``Scanner`` for how, except that bytes beyond ASCII
    /// count as plain here.
    private static func plainPrefix(of text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let low: UInt64 = 0x0101_0101_0101_0101
        let bytes = UnsafeRawBufferPointer(text)
        var position = start
        while bytes.count - position >= 8 {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let control = word &- low &* 0x20
            let quote = (word ^ low &* 0x22) &- low
            let backslash = (word ^ low &* 0x5C) &- low
            // A byte beyond ASCII may hide behind a borrow, never the other way: such a byte is looked at singly.
            if (control & ~word | quote & ~word | backslash & ~word) & (low &* 0x80) != 0 { break }
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            position += 1
        }
        return position - start
    }

    private mutating func append(escape byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(ascii: "\\\"")
        case UInt8(ascii: "\\"): append(ascii: "\\\\")
        case 0x08: append(ascii: "\\b")
        case 0x09: append(ascii: "\\t")
        case 0x0A: append(ascii: "\\n")
        case 0x0C: append(ascii: "\\f")
        case 0x0D: append(ascii: "\\r")
        default:
            append(ascii: "\\u00")
            append(UInt8(ascii: "0") + byte >> 4)  // 0 or 1: only control characters come here
            append(Self.hexDigits[Int(byte & 0x0F)])
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// Any JSON; NaN and the infinities as `nan`, `inf` and `-inf`.
    mutating func append(json: JSON) {
        switch json {
        case .null: append(ascii: "null")
        case .bool(let bool): append(bool: bool)
        case .integer(let integer): append(integer: integer)
        case .unsigned(let unsigned): append(integer: unsigned)
        case .double(let double): append(floatingPoint: double)
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
            for (index, member) in object.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                append(string: member.key)
                append(UInt8(ascii: ":"))
                append(json: member.value)
            }
            append(UInt8(ascii: "}"))
        }
    }
}
