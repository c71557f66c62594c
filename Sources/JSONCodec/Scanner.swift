/// Checks that a text is JSON as RFC 8259 defines it, and nothing else.
///
/// json-c alone cannot: even in its strict mode it takes `NaN`, `TRUE` and raw control characters, replaces lone surrogates,
/// cuts keys at a NUL and ends a text at one. So it only ever sees what has passed here. The scan is one pass without
/// recursion, and allocates only for more than 64 levels and for the rare ``TextEdit``.
struct Scanner {
    /// What the scan found out about a valid text.
    struct Outcome: Equatable {
        /// Where the value is, without the whitespace around it.
        var value: Range<Int> = 0..<0
        /// How many levels of arrays and objects there are at the deepest place.
        var depth = 0
        /// Members of all objects, those with a repeated key counted each time.
        var memberCount = 0
        /// Some key is not plain ASCII, or has an escape.
        var hasUnusualKeys = false
        /// What must be changed before json-c reads the text, in order of offset.
        var edits: [TextEdit] = []
    }

    private enum State {
        case value, firstElement, firstKey, key, afterValue
    }

    let bytes: UnsafeRawBufferPointer
    let maximumDepth: Int
    var position = 0
    var outcome = Outcome()
    private var state = State.value
    private var levels = LevelStack()

    static func scan(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int) throws(JSONError) -> Outcome {
        var scanner = Scanner(bytes: bytes, maximumDepth: maximumDepth)
        return try scanner.run()
    }

    init(bytes: UnsafeRawBufferPointer, maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    private mutating func run() throws(JSONError) -> Outcome {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONError(.syntax, at: 0, "The text begins with a byte order mark; send the JSON without it.")
        }
        skipWhitespace()
        let start = position
        while true {
            guard let byte = peek() else { throw unexpectedEnd() }
            switch state {
            case .value: try scanValue(byte)
            case .firstElement:
                if byte == UInt8(ascii: "]") { close() } else { try scanValue(byte) }
            case .firstKey:
                if byte == UInt8(ascii: "}") { close() } else { try scanKey(byte) }
            case .key: try scanKey(byte)
            case .afterValue: try scanSeparator(byte)
            }
            if state == .afterValue && levels.count == 0 { break }
            skipWhitespace()
        }
        outcome.value = start..<position
        skipWhitespace()
        guard position == bytes.count else {
            throw JSONError(.syntax, at: position, "There is more after the end of the value; send one value a text.")
        }
        return outcome
    }

    private mutating func scanValue(_ byte: UInt8) throws(JSONError) {
        state = .afterValue
        switch byte {
        case UInt8(ascii: "\""): try scanString(isKey: false)
        case UInt8(ascii: "{"): try open(object: true)
        case UInt8(ascii: "["): try open(object: false)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try scanNumber()
        case UInt8(ascii: "t"): try scanLiteral("true")
        case UInt8(ascii: "f"): try scanLiteral("false")
        case UInt8(ascii: "n"): try scanLiteral("null")
        default: throw unexpected(byte, wanted: "a value")
        }
    }

    private mutating func scanKey(_ byte: UInt8) throws(JSONError) {
        guard byte == UInt8(ascii: "\"") else { throw unexpected(byte, wanted: "a key in double quotes") }
        try scanString(isKey: true)
        outcome.memberCount += 1
        skipWhitespace()
        guard let colon = peek() else { throw unexpectedEnd() }
        guard colon == UInt8(ascii: ":") else { throw unexpected(colon, wanted: "a colon") }
        position += 1
        state = .value
    }

    private mutating func scanSeparator(_ byte: UInt8) throws(JSONError) {
        let isObject = levels.topIsObject
        switch byte {
        case UInt8(ascii: ","):
            position += 1
            state = isObject ? .key : .value
        case isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"):
            close()
        default:
            throw unexpected(byte, wanted: isObject ? "a comma or a closing brace" : "a comma or a closing bracket")
        }
    }

    private mutating func open(object: Bool) throws(JSONError) {
        guard levels.count < maximumDepth else {
            throw JSONError(.tooDeep, at: position, "Arrays and objects are nested deeper than \(maximumDepth) levels.")
        }
        levels.push(object: object)
        outcome.depth = max(outcome.depth, levels.count)
        position += 1
        state = object ? .firstKey : .firstElement
    }

    private mutating func close() {
        levels.pop()
        position += 1
        state = .afterValue
    }

    private mutating func scanLiteral(_ literal: StaticString) throws(JSONError) {
        for expected in UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount) {
            guard let byte = peek() else { throw unexpectedEnd() }
            guard byte == expected else { throw unexpected(byte, wanted: "the literal \(literal)") }
            position += 1
        }
    }
}

// MARK: - Bytes

extension Scanner {
    /// The byte at the position, without a bounds check in release builds: the position never passes the end.
    @inline(__always)
    func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while let byte = peek(), byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    func unexpected(_ byte: UInt8, wanted: String) -> JSONError {
        let found =
            (0x21...0x7E).contains(byte)
            ? "`\(Unicode.Scalar(byte))`" : "the byte 0x\(String(byte, radix: 16, uppercase: true))"
        return JSONError(.syntax, at: position, "Expected \(wanted), found \(found).")
    }

    func unexpectedEnd() -> JSONError {
        JSONError(.syntax, at: bytes.count, "The text ends before the value is complete; it is empty or was cut off.")
    }
}

/// Which of the open levels are objects: a bit each, the first 64 of them without an allocation.
private struct LevelStack {
    private(set) var count = 0
    private var bits: UInt64 = 0
    private var spilled: [UInt64] = []

    var topIsObject: Bool { bits & 1 == 1 }

    mutating func push(object: Bool) {
        if count > 0 && count % 64 == 0 {
            spilled.append(bits)
        }
        bits = bits << 1 | (object ? 1 : 0)
        count += 1
    }

    mutating func pop() {
        count -= 1
        bits >>= 1
        if count > 0 && count % 64 == 0 {
            bits = spilled.removeLast()
        }
    }
}
