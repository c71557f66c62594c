/// Checks that a text is JSON as RFC 8259 defines it, and nothing else, and writes its values to a tape.
///
/// json-c alone cannot check that: even in its strict mode it takes `NaN`, `TRUE` and raw control characters, replaces
/// lone surrogates, cuts keys at a NUL and ends a text at one. So it only ever sees what has passed here, and of that
/// only what is rare enough to leave to it; see ``needsJSONC``. The scan is one pass without recursion.
struct JSONScanner {
    let bytes: UnsafeRawBufferPointer
    let maximumDepth: Int
    var position = 0
    var outcome = Outcome()
    /// The text is valid as far as it was read, but the scanner leaves it to json-c: a key has an escape or comes
    /// twice, or a string has one of the surrogate pairs that need a ``JSONCTextEdit``. The tape is of no use then.
    var needsJSONC = false
    /// Offsets in it count from the beginning of the value. Open containers are found in it too.
    private(set) var tape: TapeBuilder
    private var state = State.value
    /// How many arrays and objects are open, and the innermost: its entry, how much it has so far, and whether its
    /// members have keys.
    private var depth = 0
    private var container = TapeEntry.none
    private var count = 0
    private var isObject = false

    /// - Parameter memory: what the tape begins in.
    init(_ bytes: UnsafeRawBufferPointer, maximumDepth: Int, tapeMemory: UnsafeMutableBufferPointer<TapeEntry>) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
        tape = TapeBuilder(in: tapeMemory, byteCount: bytes.count)
    }

    mutating func scan() throws(JSONError) {
        guard Int32(exactly: bytes.count) != nil else {
            throw JSONError(.textTooLong, "The text is longer than 2 GiB; split it into several.")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONError(.syntax, at: 0, "The text begins with a byte order mark; send the JSON without it.")
        }
        skipWhitespace()
        let start = position
        outcome.value = start..<start
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
            if state == .afterValue && depth == 0 { break }
            skipWhitespace()
        }
        outcome.value = start..<position
        skipWhitespace()
        guard position == bytes.count else {
            throw JSONError(.syntax, at: position, "There is more after the end of the value; send one value a text.")
        }
    }

    private mutating func scanValue(_ byte: UInt8) throws(JSONError) {
        state = .afterValue
        switch byte {
        case UInt8(ascii: "\""): write(try scanString(isKey: false))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): write(try scanNumber())
        case UInt8(ascii: "{"): try open(.object)
        case UInt8(ascii: "["): try open(.array)
        case UInt8(ascii: "t"):
            try scanLiteral("true")
            write(TapeEntry(.yes))
        case UInt8(ascii: "f"):
            try scanLiteral("false")
            write(TapeEntry(.no))
        case UInt8(ascii: "n"):
            try scanLiteral("null")
            write(TapeEntry(.null))
        default: throw unexpected(byte, wanted: "a value")
        }
    }

    private mutating func scanKey(_ byte: UInt8) throws(JSONError) {
        guard byte == UInt8(ascii: "\"") else { throw unexpected(byte, wanted: "a key in double quotes") }
        append(try scanString(isKey: true))
        skipWhitespace()
        guard let colon = peek() else { throw unexpectedEnd() }
        guard colon == UInt8(ascii: ":") else { throw unexpected(colon, wanted: "a colon") }
        position += 1
        state = .value
    }

    private mutating func scanSeparator(_ byte: UInt8) throws(JSONError) {
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

    // MARK: The tape

    @inline(__always)
    private mutating func append(_ entry: TapeEntry) {
        tape.append(entry, progress: position)
    }

    /// Writes a value that is complete.
    @inline(__always)
    private mutating func write(_ value: TapeEntry) {
        append(value)
        count += 1
    }

    private mutating func open(_ kind: TapeEntry.Kind) throws(JSONError) {
        guard depth < maximumDepth else {
            throw JSONError(.tooDeep, at: position, "Arrays and objects are nested deeper than \(maximumDepth) levels.")
        }
        depth += 1
        outcome.depth = max(outcome.depth, depth)
        position += 1
        isObject = kind == .object
        state = isObject ? .firstKey : .firstElement
        let opened = UInt32(truncatingIfNeeded: tape.count)
        write(TapeEntry(open: kind, in: container, index: count))
        if container != TapeEntry.none { tape.entries[Int(container)].note(count: count) }
        container = opened
        count = 0
    }

    private mutating func close() {
        let closed = Int(container)
        tape.entries[closed].close(count: count, length: tape.count - closed)
        if isObject {
            outcome.memberCount += count
            // Without an address there is no text, and so no object. json-c finds the key once more, and makes the
            // error.
            if let start = bytes.baseAddress, tape.hasRepeatedKey(closed, bytes: start + outcome.value.lowerBound) {
                needsJSONC = true
            }
        }
        depth -= 1
        position += 1
        state = .afterValue
        container = tape.entries[closed].parent
        if container != TapeEntry.none {
            count = tape.entries[Int(container)].count
            isObject = tape.entries[Int(container)].isKind(.object)
        }
    }

    private mutating func scanLiteral(_ literal: StaticString) throws(JSONError) {
        for expected in UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount) {
            guard let byte = peek() else { throw unexpectedEnd() }
            guard byte == expected else { throw unexpected(byte, wanted: "the literal \(literal)") }
            position += 1
        }
    }
}

extension JSONScanner {
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
        var edits: [JSONCTextEdit] = []
        /// The first number that is out of range.
        var numberOutOfRange: NumberOutOfRange?
    }

    private enum State {
        case value, firstElement, firstKey, key, afterValue
    }
}

// MARK: - Bytes

extension JSONScanner {
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
