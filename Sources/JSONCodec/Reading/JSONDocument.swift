/// A parsed and checked JSON text, to be read as often as wanted, from any thread.
package struct JSONDocument: Sendable {
    enum Content: Sendable {
        /// Never an array or an object. It takes no allocation, but for a string that is long.
        case scalar(JSON)
        case tape(Tape, node: Int)
    }

    let content: Content

    init(_ content: Content) {
        self.content = content
    }

    /// Parses a value of any encoding.
    private init(parsing bytes: UnsafeRawBufferPointer, by parser: some TapeParser) throws(JSONError) {
        self = try withUnsafeTemporaryAllocation(of: TapeEntry.self, capacity: TapeBuilder.smallCapacity) {
            (memory) throws(JSONError) in
            try parser.parse(bytes, tapeMemory: memory)
        }
    }

    /// Parses one JSON text. The bytes are not kept.
    ///
    /// - Parameters:
    ///   - maximumDepth: bounds the stack that reading needs.
    ///   - numbersAreDoubles: the writer has no other numbers than doubles, and writes large ones in their shortest
    ///     form, as JavaScript does: an integer that no double equals stands for the double that is nearest.
    package init(
        parsing bytes: UnsafeRawBufferPointer, maximumDepth: Int = 512, numbersAreDoubles: Bool = false
    ) throws(JSONError) {
        let parser = JSONTextParser(
            maximumDepth: maximumDepth, numbersAreDoubles: numbersAreDoubles, alwaysUsesJSONC: false)
        try self.init(parsing: bytes, by: parser)
    }

    /// The same, but json-c parses every text: what the tests compare with.
    package init(
        parsingWithJSONC bytes: UnsafeRawBufferPointer, maximumDepth: Int = 512, numbersAreDoubles: Bool = false
    ) throws(JSONError) {
        let parser = JSONTextParser(
            maximumDepth: maximumDepth, numbersAreDoubles: numbersAreDoubles, alwaysUsesJSONC: true)
        try self.init(parsing: bytes, by: parser)
    }

    /// A member, or nil if this is no object or has no such member.
    package func member(_ key: String) -> JSONDocument? {
        guard case .tape(let tape, let node) = content else { return nil }
        var key = key
        let member = withExtendedLifetime(tape) {
            let reader = tape.reader
            guard reader[node].kind == .object else { return nil as Int? }
            return key.withUTF8 { reader.member(UnsafeRawBufferPointer($0), of: node, from: node + 1) }
        }
        return member.map { JSONDocument(.tape(tape, node: $0)) }
    }

    /// The string, or nil if this is none.
    package var string: String? {
        switch content {
        case .scalar(let json): json.stringValue
        case .tape(let tape, let node):
            withExtendedLifetime(tape) { tape.reader[node].isString ? tape.reader.string(at: node) : nil }
        }
    }

    /// The whole text as a value.
    package var json: JSON {
        switch content {
        case .scalar(let json): json
        case .tape(let tape, let node): withExtendedLifetime(tape) { tape.reader.json(at: node) }
        }
    }

    /// Reads a `T` from the text, without a ``JSON`` value in between.
    ///
    /// - Throws: `DecodingError`, with the path to the value that does not fit.
    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        switch content {
        case .scalar(let json):
            if T.self == JSON.self { return unsafeBitCast(json, to: T.self) }  // each from a type to itself
            if T.self == String.self, case .string(let string) = json { return unsafeBitCast(string, to: T.self) }
            if T.self == Int.self, let integer = json.integerValue { return unsafeBitCast(integer, to: T.self) }
            if T.self == Bool.self, case .bool(let bool) = json { return unsafeBitCast(bool, to: T.self) }
            return try Self.decode(type, from: Tape(of: json), node: 0)
        case .tape(let tape, let node):
            return try Self.decode(type, from: tape, node: node)
        }
    }

    private static func decode<T: Decodable>(_ type: T.Type, from tape: Tape, node: Int) throws -> T {
        let session = DecodingSession.make(of: tape, root: node)
        return try session.value(
            type, at: TapeDecoder.Place(node: node, parent: TapeEntry.none, index: 0, depth: 0))
    }
}

extension Tape {
    /// A tape of one value that is neither an array nor an object.
    fileprivate init(of scalar: JSON) {
        var text = scalar.stringValue ?? ""
        let entry: TapeEntry =
            switch scalar {
            case .bool(let bool): TapeEntry(bool ? .yes : .no)
            case .integer(let integer): TapeEntry(integer)
            case .unsigned(let unsigned): TapeEntry(unsigned)
            case .double(let double): TapeEntry(double)
            case .string: TapeEntry(string: 0, count: text.utf8.count, hasEscapes: false, isASCII: false)
            case .null, .array, .object: TapeEntry(.null)
            }
        self = withUnsafePointer(to: entry) { entry in
            text.withUTF8 { bytes in
                Tape(
                    entries: UnsafeBufferPointer(start: entry, count: 1), bytes: UnsafeRawBufferPointer(bytes),
                    depth: 0,
                    hasUnusualKeys: false)
            }
        }
    }
}
