extension JSONScanner {
    /// Scans a number. Its digits are read once, and their value is known when they end. Nearly every number needs no
    /// more than that.
    @inline(__always)
    mutating func scanNumber() throws(JSONError) -> TapeEntry {
        let start = position
        let isNegative = peek() == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let firstDigit = position
        var digits: UInt64 = 0
        let count = scanDigits(&digits)
        // Eighteen digits fit an Int64. A zero has one digit, and no sign; other integers do not begin with it.
        if count <= 18, digits != 0 ? bytes[firstDigit] != UInt8(ascii: "0") : count == 1 && !isNegative,
            !isAtFractionOrExponent
        {
            let integer = Int64(truncatingIfNeeded: digits)
            return TapeEntry(isNegative ? -integer : integer)
        }
        return try scanRestOfNumber(from: start, firstDigit: firstDigit, digits)
    }

    @inline(__always)
    private var isAtFractionOrExponent: Bool {
        guard let byte = peek() else { return false }
        return byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
    }

    /// Scans digits, if there are any, and returns how many there are.
    ///
    /// - Parameter value: the value of the digits before. The new ones are appended, modulo 2⁶⁴.
    @inline(__always)
    private mutating func scanDigits(_ value: inout UInt64) -> Int {
        guard let start = bytes.baseAddress else { return 0 }
        let first = start + position
        let end = start + bytes.count
        var next = first
        while next < end {
            let digit = next.load(as: UInt8.self) &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value &* 10 &+ UInt64(digit)
            next += 1
        }
        position = next - start
        return next - first
    }

    /// Goes on behind the digits of the integer.
    ///
    /// - Parameter digits: their value, modulo 2⁶⁴.
    @inline(never)
    private mutating func scanRestOfNumber(
        from start: Int, firstDigit: Int, _ digits: UInt64
    ) throws(JSONError) -> TapeEntry {
        let integer = firstDigit..<position
        try requireDigits(from: firstDigit)
        if integer.count > 1, bytes[firstDigit] == UInt8(ascii: "0") {
            throw JSONError(.syntax, at: firstDigit, "A number has a leading zero; write it without.")
        }
        guard isAtFractionOrExponent else { return try entry(integer: digits, integer, from: start) }
        var digits = digits
        var exponent = 0
        if peek() == UInt8(ascii: ".") {
            position += 1
            exponent = -scanDigits(&digits)
            try requireDigits(from: integer.upperBound + 1)
        }
        let written = firstDigit..<position
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") { exponent += try scanExponent() }
        return entry(double: digits, written, exponent: exponent, from: start)
    }

    private mutating func scanExponent() throws(JSONError) -> Int {
        position += 1
        var isNegative = false
        if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            isNegative = sign == UInt8(ascii: "-")
            position += 1
        }
        let first = position
        var magnitude = 0
        while let byte = peek(), byte &- UInt8(ascii: "0") < 10 {
            // No text is long enough for a fraction that makes up for a larger exponent.
            if magnitude < 1 << 40 { magnitude = magnitude * 10 + Int(byte & 0x0F) }
            position += 1
        }
        try requireDigits(from: first)
        return isNegative ? -magnitude : magnitude
    }

    private func requireDigits(from start: Int) throws(JSONError) {
        guard position == start else { return }
        guard let byte = peek() else { throw unexpectedEnd() }
        throw unexpected(byte, wanted: "a digit")
    }

    // MARK: Integers

    /// - Parameters:
    ///   - magnitude: the value of the digits, modulo 2⁶⁴.
    ///   - digits: where they are.
    private mutating func entry(
        integer magnitude: UInt64, _ digits: Range<Int>, from start: Int
    ) throws(JSONError) -> TapeEntry {
        let isNegative = start < digits.lowerBound
        if fits64Bits(magnitude, digits) {
            if !isNegative { return magnitude > UInt64(Int64.max) ? TapeEntry(magnitude) : TapeEntry(Int64(magnitude)) }
            if magnitude == 0 {
                outcome.edits.append(JSONCTextEdit(kind: .negativeZero, range: start..<position))
                return TapeEntry(-0.0)
            }
            if magnitude <= Int64.min.magnitude { return TapeEntry(Int64(truncatingIfNeeded: 0 &- magnitude)) }
        }
        outcome.edits.append(JSONCTextEdit(kind: .largeInteger, range: start..<position))
        let double = try doubleInShortestForm(digits)
        return TapeEntry(isNegative ? -double : double)
    }

    /// Whether the digits of an integer without leading zeros have that value, and not only modulo 2⁶⁴.
    private func fits64Bits(_ value: UInt64, _ digits: Range<Int>) -> Bool {
        if digits.count < 20 { return true }
        // Twenty digits that fit begin with a one. Those that begin with it and do not fit are below 10¹⁹ modulo 2⁶⁴.
        let smallest: UInt64 = 10_000_000_000_000_000_000
        return digits.count == 20 && bytes[digits.lowerBound] == UInt8(ascii: "1") && value >= smallest
    }

    /// An integer beyond 64 bits is taken as a double only if the double says the same number, as JavaScript writes it:
    /// 18446744073709552000 is 2⁶⁴, while 18446744073709551617 would silently become 2⁶⁴.
    private func doubleInShortestForm(_ digits: Range<Int>) throws(JSONError) -> Double {
        if digits.count <= 309 {  // the largest double has that many
            let literal = String(decoding: bytes[digits], as: UTF8.self)
            if let double = Double(literal), double.isFinite, JSONNumber.isShortestForm(literal, of: double) {
                return double
            }
        }
        throw JSONError(
            .numberOutOfRange, at: digits.lowerBound,
            "An integer has more than 64 bits and no double is the same number; send it as a string.")
    }

    // MARK: Doubles

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// If the digits and the power of ten are both doubles, their product or quotient is rounded once, and so right.
    /// The standard library converts all others.
    ///
    /// - Parameters:
    ///   - value: the value of the digits, modulo 2⁶⁴.
    ///   - digits: where they are, with the point between them.
    ///   - exponent: of the last digit.
    private mutating func entry(
        double value: UInt64, _ digits: Range<Int>, exponent: Int, from start: Int
    ) -> TapeEntry {
        // Nineteen digits always fit.
        let isExact = digits.count <= 19 || significantDigitCount(digits) <= 19
        if isExact, value <= 1 << 53, abs(exponent) < Self.powersOfTen.count {
            let power = Self.powersOfTen[abs(exponent)]
            let double = exponent < 0 ? Double(value) / power : Double(value) * power
            return TapeEntry(start < digits.lowerBound ? -double : double)
        }
        // If json-c reads the text, or if it is refused, nobody asks for the number.
        if needsJSONC || outcome.numberOutOfRange != nil { return TapeEntry(.null) }
        let literal = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
        // The standard library returns nil for no number that is written as JSON has it.
        guard let double = Double(String(checkedUTF8: literal, isASCII: true)) else {
            needsJSONC = true
            return TapeEntry(.null)
        }
        if double.isInfinite {
            outcome.numberOutOfRange = .tooLarge
        } else if double == 0, !(isExact && value == 0) {
            outcome.numberOutOfRange = .tooSmall
        }
        return TapeEntry(double)
    }

    /// How many digits there are behind the leading zeros.
    private func significantDigitCount(_ digits: Range<Int>) -> Int {
        let significant = bytes[digits].drop { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
        return significant.contains(UInt8(ascii: ".")) ? significant.count - 1 : significant.count
    }
}
