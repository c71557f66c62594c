extension JSONScanner {
    @inline(__always)
    mutating func scanNumber() throws(JSONError) -> TapeEntry {
        let start = position
        if let integer = scanShortInteger() { return TapeEntry(integer) }
        position = start
        return try scanAnyNumber()
    }

    /// Scans an integer of up to eighteen digits; nil where it is another number or none, and then the position is
    /// anywhere.
    @inline(__always)
    private mutating func scanShortInteger() -> Int64? {
        guard let start = bytes.baseAddress else { return nil }
        let end = start + bytes.count
        var next = start + position
        let isNegative = next < end && next.load(as: UInt8.self) == UInt8(ascii: "-")
        if isNegative { next += 1 }
        let first = next
        var value: Int64 = 0
        var byte: UInt8 = 0
        while next < end {
            byte = next.load(as: UInt8.self)
            guard isDigit(byte) else { break }
            value = value &* 10 &+ Int64(byte & 0x0F)
            next += 1
        }
        let count = next - first
        guard count > 0, count <= 18, value != 0 || count == 1 && !isNegative else { return nil }
        // At the end of the text `byte` is a digit.
        guard byte != UInt8(ascii: "."), byte | 0x20 != UInt8(ascii: "e") else { return nil }
        guard count == 1 || first.load(as: UInt8.self) != UInt8(ascii: "0") else { return nil }
        position = next - start
        return isNegative ? -value : value
    }

    /// The digits of a number as an integer, as long as that fits.
    private struct Digits {
        var value: UInt64 = 0
        var count = 0
        var overflow = false

        @inline(__always)
        mutating func append(_ digit: UInt64) {
            count += 1
            if count <= 19 {  // nineteen digits always fit
                value = value &* 10 &+ digit
            } else {
                let product = value.multipliedReportingOverflow(by: 10)
                let sum = product.partialValue.addingReportingOverflow(digit)
                overflow = overflow || product.overflow || sum.overflow
                value = sum.partialValue
            }
        }
    }

    @inline(never)
    private mutating func scanAnyNumber() throws(JSONError) -> TapeEntry {
        let start = position
        let isNegative = peek() == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let firstDigit = position
        var digits = Digits()
        try scanInteger(&digits)
        let integer = firstDigit..<position
        var exponent = 0
        var isInteger = true
        if peek() == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            let point = position
            try scanDigits(&digits)
            exponent = point - position
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            exponent += try scanExponent()
        }
        guard !isInteger else {
            return try entry(integer: digits.overflow ? nil : digits.value, isNegative, start: start, digits: integer)
        }
        return entry(double: digits, exponent: exponent, isNegative, literal: start..<position)
    }

    private mutating func entry(
        integer magnitude: UInt64?, _ isNegative: Bool, start: Int, digits: Range<Int>
    ) throws(JSONError) -> TapeEntry {
        if let magnitude {
            if !isNegative { return magnitude > UInt64(Int64.max) ? TapeEntry(magnitude) : TapeEntry(Int64(magnitude)) }
            if magnitude == 0 {
                outcome.edits.append(JSONCTextEdit(kind: .negativeZero, range: start..<position))
                return TapeEntry(.null)
            }
            if magnitude <= Int64.min.magnitude { return TapeEntry(Int64(truncatingIfNeeded: 0 &- magnitude)) }
        }
        try requireShortestForm(digits)
        outcome.edits.append(JSONCTextEdit(kind: .largeInteger, range: start..<position))
        return TapeEntry(.null)
    }

    /// Where the digits and the power of ten are doubles both, their product or quotient is rounded once, and so right.
    /// What else there is, the standard library reads.
    private mutating func entry(
        double digits: Digits, exponent: Int, _ isNegative: Bool, literal: Range<Int>
    ) -> TapeEntry {
        if !digits.overflow, digits.value <= 1 << 53, abs(exponent) < Self.powersOfTen.count {
            let value = Double(digits.value)
            let power = Self.powersOfTen[abs(exponent)]
            let double = exponent < 0 ? value / power : value * power
            return TapeEntry(isNegative ? -double : double)
        }
        let text = String(checkedUTF8: UnsafeRawBufferPointer(rebasing: bytes[literal]), isASCII: true)
        guard let double = Double(text), double.isFinite, double != 0 || !digits.overflow && digits.value == 0 else {
            // Out of range, unless it is a zero that is written with many digits.
            needsJSONC = true
            return TapeEntry(.null)
        }
        return TapeEntry(double)
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    /// Scans `0`, or digits that do not begin with one.
    private mutating func scanInteger(_ digits: inout Digits) throws(JSONError) {
        guard peek() == UInt8(ascii: "0") else { return try scanDigits(&digits) }
        position += 1
        if let byte = peek(), isDigit(byte) {
            throw JSONError(.syntax, at: position - 1, "A number has a leading zero; write it without.")
        }
    }

    /// Scans one digit or more.
    private mutating func scanDigits(_ digits: inout Digits) throws(JSONError) {
        let start = position
        while let byte = peek(), isDigit(byte) {
            position += 1
            digits.append(UInt64(byte & 0x0F))
        }
        guard position > start else {
            guard let byte = peek() else { throw unexpectedEnd() }
            throw unexpected(byte, wanted: "a digit")
        }
    }

    private mutating func scanExponent() throws(JSONError) -> Int {
        position += 1
        var isNegative = false
        if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            isNegative = sign == UInt8(ascii: "-")
            position += 1
        }
        var digits = Digits()
        try scanDigits(&digits)
        // Anything beyond a text's length is out of every range.
        let magnitude = digits.overflow ? Int(Int32.max) : Int(min(digits.value, UInt64(Int32.max)))
        return isNegative ? -magnitude : magnitude
    }

    @inline(__always)
    private func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    /// An integer beyond 64 bits is taken as a double only where the double says the same number, as JavaScript writes
    /// it: 18446744073709552000 is 2⁶⁴, while 18446744073709551617 would silently become 2⁶⁴.
    private func requireShortestForm(_ digits: Range<Int>) throws(JSONError) {
        if digits.count <= 309 {  // the largest double has that many
            let literal = String(decoding: bytes[digits], as: UTF8.self)
            if let double = Double(literal), double.isFinite, JSONNumber.isShortestForm(literal, of: double) { return }
        }
        throw JSONError(
            .numberOutOfRange, at: digits.lowerBound,
            "An integer has more than 64 bits and no double is the same number; send it as a string.")
    }
}
