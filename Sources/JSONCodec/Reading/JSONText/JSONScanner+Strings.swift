extension JSONScanner {
    /// Scans a string from its opening quote to behind its closing one.
    @inline(__always)
    mutating func scanString(isKey: Bool) throws(JSONError) -> TapeEntry {
        position += 1
        let start = position
        skipPlain()
        guard let byte = peek(), byte == UInt8(ascii: "\"") else { return try scanRest(of: start, isKey: isKey) }
        position += 1
        return TapeEntry(
            string: start - outcome.value.lowerBound, count: position - 1 - start, hasEscapes: false, isASCII: true)
    }

    /// Goes on with a string that is not just plain ASCII.
    @inline(never)
    private mutating func scanRest(of start: Int, isKey: Bool) throws(JSONError) -> TapeEntry {
        var hasEscapes = false
        var isASCII = true
        while true {
            skipPlain()
            guard let byte = peek() else { throw unexpectedEnd() }
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                if isKey {
                    if hasEscapes || !isASCII { outcome.hasUnusualKeys = true }
                    // Two keys can be the same key then, though they are written differently.
                    if hasEscapes { needsJSONC = true }
                }
                return TapeEntry(
                    string: start - outcome.value.lowerBound, count: position - 1 - start, hasEscapes: hasEscapes,
                    isASCII: isASCII)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                if bytes.count - position > 1, bytes[position + 1] == UInt8(ascii: "n") {
                    // By far the most frequent in long texts, and worth a branch of its own.
                    position += 2
                } else {
                    try scanEscape(isKey: isKey)
                }
            case 0..<0x20:
                throw JSONError(
                    .syntax, at: position, "A control character stands in a string as it is; write it as an escape.")
            case 0..<0x80:
                position += 1
            default:
                isASCII = false
                try scanMultibyte(byte)
                while let byte = peek(), byte >= 0x80 { try scanMultibyte(byte) }
            }
        }
    }

    /// Skips bytes while none of them is a quote, a backslash, a control character or beyond ASCII: eight at a time,
    /// and near the end of the text one at a time.
    @inline(__always)
    private mutating func skipPlain() {
        guard let start = bytes.baseAddress else { return }
        var next = start + position
        let end = start + bytes.count
        // Most strings are short, and most of the others long.
        if end - next >= 8 {
            let word = EightBytes(at: next)
            let found = (word.special | word.bytes) & EightBytes.tops
            next += EightBytes.plainCount(before: found)
            if found != 0 {
                position = next - start
                return
            }
        }
        while end - next >= 16 {
            let (word, second) = (EightBytes(at: next), EightBytes(at: next + 8))
            if (word.special | word.bytes | second.special | second.bytes) & EightBytes.tops != 0 { break }
            next += 16
        }
        while end - next >= 8 {
            let word = EightBytes(at: next)
            let found = (word.special | word.bytes) & EightBytes.tops
            next += EightBytes.plainCount(before: found)
            if found != 0 {
                position = next - start
                return
            }
        }
        while next < end {
            let byte = next.load(as: Int8.self)
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { break }
            next += 1
        }
        position = next - start
    }

    private mutating func scanEscape(isKey: Bool) throws(JSONError) {
        let start = position
        position += 1
        guard let byte = peek() else { throw unexpectedEnd() }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            let unit = try scanFourHexDigits()
            if isKey && unit == 0 {
                outcome.edits.append(JSONCTextEdit(kind: .nulInKey, range: start..<position))
            }
            if unit & 0xF800 == 0xD800 {
                try scanLowSurrogate(after: unit, at: start)
            }
        default:
            throw unexpected(byte, wanted: "one of \" \\ / b f n r t u after a backslash")
        }
    }

    private mutating func scanLowSurrogate(after high: UInt16, at start: Int) throws(JSONError) {
        let lone = JSONError(
            .loneSurrogate, at: start, "An escape names half of a surrogate pair; the other half must stand beside it.")
        guard high < 0xDC00, bytes.count - position >= 2, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { throw lone }
        position += 2
        let low = try scanFourHexDigits()
        guard low & 0xFC00 == 0xDC00 else { throw lone }
        let scalar = 0x10000 + (UInt32(high & 0x3FF) << 10 | UInt32(low & 0x3FF))
        if scalar & 0xF800 == 0xD800 {
            outcome.edits.append(JSONCTextEdit(kind: .surrogatePair(scalar), range: start..<position))
            needsJSONC = true
        }
    }

    private mutating func scanFourHexDigits() throws(JSONError) -> UInt16 {
        let bytes = bytes
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard position < bytes.count else { throw unexpectedEnd() }
            let byte = bytes[position]
            guard let digit = Self.hexDigit(byte) else { throw unexpected(byte, wanted: "four hexadecimal digits") }
            unit = unit << 4 | digit
            position += 1
        }
        return unit
    }

    private static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Scans one character of two to four bytes. The limits are those of the Unicode Standard's table of well-formed
    /// byte sequences: they leave out overlong forms, surrogates, and all above U+10FFFF.
    private mutating func scanMultibyte(_ lead: UInt8) throws(JSONError) {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw invalidUTF8()
        }
        guard bytes.count - position >= length, second.contains(bytes[position + 1]) else { throw invalidUTF8() }
        for offset in 2..<max(length, 2) where bytes[position + offset] & 0xC0 != 0x80 { throw invalidUTF8() }
        position += length
    }

    private func invalidUTF8() -> JSONError {
        JSONError(.invalidUTF8, at: position, "The text is not valid UTF-8; JSON is exchanged in UTF-8 only.")
    }
}
