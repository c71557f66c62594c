extension Scanner {
    mutating func scanNumber() throws(JSONError) {
        let start = position
        let isNegative = peek() == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let firstDigit = position
        let magnitude = try scanInteger()
        let digits = firstDigit..<position
        var isInteger = true
        if peek() == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            _ = try scanDigits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            _ = try scanDigits()
        }
        guard isInteger else { return }
        if isNegative && magnitude == 0 {
            outcome.edits.append(TextEdit(kind: .negativeZero, range: start..<position))
        } else if magnitude == nil || (isNegative && magnitude! > Int64.min.magnitude) {
            // `magnitude!`: the left side of the `||` has just ruled nil out.
            try requireShortestForm(digits)
            outcome.edits.append(TextEdit(kind: .largeInteger, range: start..<position))
        }
    }

    /// Scans `0`, or digits that do not begin with one; the value is nil when it does not fit.
    private mutating func scanInteger() throws(JSONError) -> UInt64? {
        guard peek() == UInt8(ascii: "0") else { return try scanDigits() }
        position += 1
        if let byte = peek(), isDigit(byte) {
            throw JSONError(.syntax, at: position - 1, "A number has a leading zero; write it without.")
        }
        return 0
    }

    /// Scans one digit or more; the value is nil when it does not fit.
    private mutating func scanDigits() throws(JSONError) -> UInt64? {
        let start = position
        var value: UInt64 = 0
        var overflow = false
        while let byte = peek(), isDigit(byte) {
            position += 1
            let digit = UInt64(byte & 0x0F)
            if position - start <= 19 {  // nineteen digits always fit
                value = value &* 10 &+ digit
            } else {
                let product = value.multipliedReportingOverflow(by: 10)
                let sum = product.partialValue.addingReportingOverflow(digit)
                overflow = overflow || product.overflow || sum.overflow
                value = sum.partialValue
            }
        }
        guard position > start else {
            guard let byte = peek() else { throw unexpectedEnd() }
            throw unexpected(byte, wanted: "a digit")
        }
        return overflow ? nil : value
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
            if let double = Double(literal), double.isFinite, Number.isShortestForm(literal, of: double) { return }
        }
        throw JSONError(
            .numberOutOfRange, at: digits.lowerBound,
            "An integer has more than 64 bits and no double is the same number; send it as a string.")
    }
}
