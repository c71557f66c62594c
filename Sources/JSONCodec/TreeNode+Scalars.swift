/// Reads one node as a scalar, or says why it is none.
///
/// The path is made only when an error needs it.
extension TreeNode {
    func decodedBool(at path: @autoclosure () -> CodingPath) throws -> Bool {
        guard kind == .bool else { throw mismatch(Bool.self, wanted: "a boolean", at: path()) }
        return bool
    }

    func decodedString(at path: @autoclosure () -> CodingPath) throws -> String {
        guard kind == .string else { throw mismatch(String.self, wanted: "a string", at: path()) }
        return string
    }

    /// An integer, exactly. `3.0` counts as 3, because a JavaScript peer has only one kind of number.
    func decodedInteger<T: FixedWidthInteger>(_ type: T.Type, at path: @autoclosure () -> CodingPath) throws -> T {
        guard kind == .number else { throw mismatch(type, wanted: "a number", at: path()) }
        guard let integer = number.exactly(type) else {
            throw corrupted("The number \(number) does not fit \(type); nothing is rounded or cut.", at: path())
        }
        return integer
    }

    func decodedFloatingPoint<T: BinaryFloatingPoint & CustomStringConvertible>(
        _ type: T.Type, at path: @autoclosure () -> CodingPath
    ) throws -> T {
        guard kind == .number else { throw mismatch(type, wanted: "a number", at: path()) }
        guard let value = number.faithfully(type) else {
            throw corrupted("The number \(number) would become another number as \(type).", at: path())
        }
        return value
    }

    func mismatch(_ type: Any.Type, wanted: String, at path: CodingPath) -> DecodingError {
        let description = "Expected \(wanted), found \(kind.description)."
        let context = DecodingError.Context(codingPath: path.keys, debugDescription: description)
        return isNull ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    func corrupted(_ description: String, at path: CodingPath) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: path.keys, debugDescription: description))
    }
}

extension TreeNode.Kind: CustomStringConvertible {
    var description: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension Number: CustomStringConvertible {
    var description: String {
        switch self {
        case .integer(let integer): integer.description
        case .unsigned(let unsigned): unsigned.description
        case .double(let double): double.description
        }
    }
}
