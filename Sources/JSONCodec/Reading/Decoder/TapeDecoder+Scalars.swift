/// Reads one node as a scalar, or says why it is none.
extension DecodingSession {
    @inline(__always)
    func bool(at place: TapeDecoder.Place) throws -> Bool {
        let entry = reader[Int(place.node)]
        if entry.isKind(.yes) { return true }
        if entry.isKind(.no) { return false }
        throw decoder(at: place).mismatch(Bool.self, wanted: "a boolean")
    }

    @inline(__always)
    func string(at place: TapeDecoder.Place) throws -> String {
        let reader = reader
        guard reader[Int(place.node)].isString else {
            throw decoder(at: place).mismatch(String.self, wanted: "a string")
        }
        return reader.string(at: Int(place.node))
    }

    /// An integer, exactly. `3.0` counts as 3, because a JavaScript peer has only one kind of number.
    @inline(__always)
    func integer<T: FixedWidthInteger>(_ type: T.Type, at place: TapeDecoder.Place) throws -> T {
        let entry = reader[Int(place.node)]
        if entry.isKind(.integer), let integer = T(exactly: Int64(bitPattern: entry.payload)) { return integer }
        return try decoder(at: place).rarerInteger(type)
    }

    @inline(__always)
    func double(at place: TapeDecoder.Place) throws -> Double {
        let entry = reader[Int(place.node)]
        if entry.isKind(.double) { return Double(bitPattern: entry.payload) }
        return try decoder(at: place).floatingPoint(Double.self)
    }
}

extension TapeDecoder {
    @inline(never)
    fileprivate func rarerInteger<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        guard let number = entry.number else { throw mismatch(type, wanted: "a number") }
        guard let integer = number.exactly(type) else {
            throw corrupted("The number \(number) does not fit \(type); nothing is rounded or cut.")
        }
        return integer
    }

    @inline(never)
    func floatingPoint<T: BinaryFloatingPoint & CustomStringConvertible>(_ type: T.Type) throws -> T {
        guard let number = entry.number else { throw mismatch(type, wanted: "a number") }
        guard let value = number.faithfully(type) else {
            throw corrupted("The number \(number) would become another number as \(type).")
        }
        return value
    }

    @inline(never)
    func mismatch(_ type: Any.Type, wanted: String) -> DecodingError {
        let description = "Expected \(wanted), found \(entry.kindDescription)."
        let context = DecodingError.Context(codingPath: codingPath, debugDescription: description)
        return entry.kind == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    @inline(never)
    func corrupted(_ description: String) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: codingPath, debugDescription: description))
    }
}

extension JSONNumber: CustomStringConvertible {
    var description: String {
        switch self {
        case .integer(let integer): integer.description
        case .unsigned(let unsigned): unsigned.description
        case .double(let double): double.description
        }
    }
}
