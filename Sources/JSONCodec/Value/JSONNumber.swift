/// A JSON number as it was written: without a fraction and exponent, or with.
enum JSONNumber: Sendable {
    case integer(Int64)
    case unsigned(UInt64)
    case double(Double)

    /// This number as a `T`, or nil if `T` cannot hold exactly this number.
    func exactly<T: FixedWidthInteger>(_ type: T.Type) -> T? {
        switch self {
        case .integer(let integer): T(exactly: integer)
        case .unsigned(let unsigned): T(exactly: unsigned)
        case .double(let double): T(exactly: double)
        }
    }

    /// This number as a `T`, or nil if that would be another number than the one that was sent.
    ///
    /// A fraction is rounded to the nearest `T`, which is how such numbers are written; but nothing becomes infinite,
    /// and nothing but zero becomes zero. An integer must be exactly a `T`, or be the shortest decimal form of one: a
    /// JavaScript peer writes 2⁶⁰ as 1152921504606847000.
    func faithfully<T: BinaryFloatingPoint & CustomStringConvertible>(_ type: T.Type) -> T? {
        switch self {
        case .integer(let integer):
            let nearest = T(integer)
            return T(exactly: integer) ?? (Self.isShortestForm("\(integer)", of: nearest) ? nearest : nil)
        case .unsigned(let unsigned):
            let nearest = T(unsigned)
            return T(exactly: unsigned) ?? (Self.isShortestForm("\(unsigned)", of: nearest) ? nearest : nil)
        case .double(let double):
            let nearest = T(double)
            return nearest.isInfinite != double.isInfinite || nearest.isZero != double.isZero ? nil : nearest
        }
    }

    /// Whether `literal`, an integer, denotes exactly the number that the shortest decimal form of `value` denotes.
    static func isShortestForm(_ literal: String, of value: some CustomStringConvertible) -> Bool {
        let form = Decimal(value.description.utf8)
        return form != nil && form == Decimal(literal.utf8)
    }

    /// A decimal number as digits without zeros at either end, and the power of ten of the first digit.
    private struct Decimal: Equatable {
        var isNegative = false
        var digits: [UInt8] = []
        var magnitude = 0

        /// Reads `-12.5e+3`; nil for anything that is not in that form, such as `inf`.
        init?(_ text: String.UTF8View) {
            var integerDigits = 0
            var pointSeen = false
            var iterator = text.makeIterator()
            var exponent = 0
            reading: while let byte = iterator.next() {
                switch byte {
                case UInt8(ascii: "-"): isNegative = true
                case UInt8(ascii: "."): pointSeen = true
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    digits.append(byte)
                    if !pointSeen { integerDigits += 1 }
                case UInt8(ascii: "e"):
                    var rest: [UInt8] = []
                    while let byte = iterator.next() { rest.append(byte) }
                    guard let value = Int(String(decoding: rest, as: UTF8.self)) else { return nil }
                    exponent = value
                    break reading
                default: return nil
                }
            }
            let leadingZeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
            digits.removeFirst(leadingZeros)
            while digits.last == UInt8(ascii: "0") { digits.removeLast() }
            magnitude = digits.isEmpty ? 0 : integerDigits - leadingZeros + exponent
        }
    }
}

extension JSONNumber: Hashable {
    static func == (left: JSONNumber, right: JSONNumber) -> Bool {
        switch (left, right) {
        case (.integer(let left), .integer(let right)): left == right
        case (.integer(let left), .unsigned(let right)): left == right
        case (.unsigned(let left), .integer(let right)): left == right
        case (.unsigned(let left), .unsigned(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.double(let double), let integer), (let integer, .double(let double)):
            switch integer {
            case .integer(let integer): Int64(exactly: double) == integer
            case .unsigned(let unsigned): UInt64(exactly: double) == unsigned
            case .double: false  // both doubles: handled above
            }
        }
    }

    /// Equal numbers hash alike, so a number that an integer can hold is hashed as that integer.
    func hash(into hasher: inout Hasher) {
        if let integer = exactly(Int64.self) {
            hasher.combine(integer)
        } else if let unsigned = exactly(UInt64.self) {
            hasher.combine(unsigned)
        } else if case .double(let double) = self {
            hasher.combine(double)
        }
    }
}
