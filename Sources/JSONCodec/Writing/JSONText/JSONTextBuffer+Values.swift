/// The text of scalars, and of ``JSON``.
extension JSONTextBuffer {
    @inline(__always)
    mutating func appendNull() { append(ascii: "null") }

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

    @inline(__always)
    mutating func open(_ kind: ContainerKind) {
        append(UInt8(ascii: kind == .array ? "[" : "{"))
    }

    @inline(__always)
    mutating func close(_ kind: ContainerKind) {
        append(UInt8(ascii: kind == .array ? "]" : "}"))
    }

    @inline(__always)
    mutating func beginElement(isFirst: Bool) {
        if !isFirst { append(UInt8(ascii: ",")) }
    }

    /// Any JSON; NaN and the infinities as `nan`, `inf` and `-inf`.
    mutating func append(json: JSON) {
        switch json {
        case .null: appendNull()
        case .bool(let bool): append(bool: bool)
        case .integer(let integer): append(integer: integer)
        case .unsigned(let unsigned): append(integer: unsigned)
        case .double(let double): append(double: double)
        case .string(let string): append(string: string)
        case .array(let elements):
            open(.array)
            for (index, element) in elements.enumerated() {
                beginElement(isFirst: index == 0)
                append(json: element)
            }
            close(.array)
        case .object(let object):
            open(.object)
            var isFirst = true
            object.forEachMember { key, value in
                _ = append(key: key, isFirst: isFirst)
                append(json: value)
                isFirst = false
            }
            close(.object)
        }
    }
}
