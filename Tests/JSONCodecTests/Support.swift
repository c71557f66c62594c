import JSONCodec
import Testing

/// SplitMix64: the same sequence for the same seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension JSONDocument {
    init(_ text: String) throws {
        try self.init(Array(text.utf8))
    }

    init(_ bytes: [UInt8]) throws {
        // A copy of exactly this size, so that AddressSanitizer sees a read past the end.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        try self.init(parsing: UnsafeRawBufferPointer(copy))
    }
}

func text(_ value: some Encodable) throws -> String {
    var bytes: [UInt8] = []
    try JSONText.append(value, to: &bytes)
    return try #require(String(validating: bytes, as: UTF8.self))
}

func decode<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try JSONDocument(text).decode(type)
}

func code(parsing bytes: [UInt8]) -> JSONError.Code? {
    do {
        _ = try JSONDocument(bytes)
        return nil
    } catch let error as JSONError {
        return error.code
    } catch {
        Issue.record("an error of another type: \(error)")
        return nil
    }
}

func code(parsing text: String) -> JSONError.Code? { code(parsing: Array(text.utf8)) }

/// The keys of an error's coding path, joined with dots.
func path(of error: any Error) -> String {
    let keys: [any CodingKey]
    switch error {
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
        DecodingError.keyNotFound(_, let context), DecodingError.dataCorrupted(let context):
        keys = context.codingPath
    case EncodingError.invalidValue(_, let context):
        keys = context.codingPath
    default:
        return "not a coding error: \(error)"
    }
    return keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
}

func pathOfFailure(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return path(of: error)
    }
}

/// Random JSON of every kind, with the awkward values likely.
struct JSONGenerator {
    var random: SeededGenerator
    /// Foundation's parser drops a U+FEFF that follows an escape.
    var avoidsByteOrderMark = false

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func value(depth: Int = 0) -> JSON {
        switch Int.random(in: 0..<(depth > 5 ? 8 : 12), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer([0, 1, -1, 255, .max, .min][Int.random(in: 0..<6, using: &random)])
        case 3: return .integer(Int64.random(in: .min ... .max, using: &random))
        case 4: return .unsigned(UInt64.random(in: (1 << 63)...UInt64.max, using: &random))
        case 5: return .double(double())
        case 6, 7: return .string(string())
        case 8, 9:
            let count = Int.random(in: 0..<6, using: &random)
            return .array((0..<count).map { _ in value(depth: depth + 1) })
        default:
            var object = JSON.Object()
            for _ in 0..<Int.random(in: 0..<24, using: &random) / 3 { object[string()] = value(depth: depth + 1) }
            return .object(object)
        }
    }

    mutating func double() -> Double {
        while true {
            let double = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random))
            if double.isFinite { return double }
        }
    }

    mutating func string() -> String {
        var string = ""
        for _ in 0..<Int.random(in: 0..<20, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: string.unicodeScalars.append(Unicode.Scalar(UInt8.random(in: 0..<0x20, using: &random)))
            case 1: string += ["\"", "\\", "/", "\u{7F}", "\0"][Int.random(in: 0..<5, using: &random)]
            case 2:
                string += ["é", "e\u{301}", "ß", "\u{2028}", "😀", "\u{10FFFF}", "\u{FEFF}"].randomElement(
                    using: &random)!
            case 3:
                if let scalar = Unicode.Scalar(UInt32.random(in: 0x80...0x10FFFF, using: &random)) {
                    string.unicodeScalars.append(scalar)
                }
            default: string.unicodeScalars.append(Unicode.Scalar(UInt8.random(in: 0x20..<0x7F, using: &random)))
            }
        }
        if avoidsByteOrderMark { string.unicodeScalars.removeAll { $0 == "\u{FEFF}" } }
        return string
    }

    /// Valid text for a value, with whitespace and escapes wherever the grammar allows them.
    mutating func looseText(_ json: JSON) -> String {
        let body: String
        switch json {
        case .array(let elements):
            body = "[" + space() + elements.map { looseText($0) }.joined(separator: ",") + "]"
        case .object(let object):
            let members = object.map { looseString($0.key) + space() + ":" + looseText($0.value) + space() }
            body = "{" + space() + members.joined(separator: "," + space()) + "}"
        case .string(let string):
            body = looseString(string)
        case .null, .bool, .integer, .unsigned, .double:
            body = json.description
        }
        return space() + body + space()
    }

    private mutating func space() -> String {
        ["", "", "", " ", "\n", "\t", "\r\n  "].randomElement(using: &random)!
    }

    private mutating func looseString(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            if mustEscape || Int.random(in: 0..<8, using: &random) == 0 {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &random))
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
