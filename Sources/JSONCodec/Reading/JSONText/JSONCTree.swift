internal import CJSON

/// The tree that json-c makes of a text, written to a tape.
///
/// json-c defines what a text means. The scanner itself reads what is plain, and leaves to json-c what is rare. The
/// thread that has made the tree reads and frees it before anybody else knows of it.
struct JSONCTree {
    private(set) var tape: TapeBuilder
    /// The strings, one behind the other.
    private(set) var bytes: [UInt8] = []

    /// - Parameters:
    ///   - text: a text that the scanner has accepted.
    ///   - outcome: what the scanner found in it.
    ///   - tapeMemory: what the tape begins in.
    init(
        parsing text: UnsafeRawBufferPointer, _ outcome: JSONScanner.Outcome,
        tapeMemory: UnsafeMutableBufferPointer<TapeEntry>
    ) throws(JSONError) {
        let root = try Self.parse(text, outcome)
        defer { json_object_put(root) }
        guard try Self.verifiedMemberCount(root) == outcome.memberCount else {
            throw JSONError(.duplicateKey, "An object has the same key twice; readers disagree on which value counts.")
        }
        // No string takes more bytes than its text does.
        tape = TapeBuilder(in: tapeMemory, byteCount: text.count)
        write(root, in: TapeEntry.none, index: 0)
    }

    // MARK: Parsing

    /// json-c represents null by a null pointer.
    private static func parse(
        _ text: UnsafeRawBufferPointer, _ outcome: JSONScanner.Outcome
    ) throws(JSONError) -> OpaquePointer? {
        if outcome.edits.isEmpty {
            return try parse(UnsafeRawBufferPointer(rebasing: text[outcome.value]), depth: outcome.depth)
        }
        let edited = JSONCTextEdit.apply(outcome.edits, to: text, in: outcome.value)
        return try edited.withUnsafeBufferPointer { (bytes) throws(JSONError) in
            try parse(UnsafeRawBufferPointer(bytes), depth: outcome.depth)
        }
    }

    private static func parse(_ text: UnsafeRawBufferPointer, depth: Int) throws(JSONError) -> OpaquePointer? {
        guard let length = Int32(exactly: text.count) else {
            throw JSONError(.textTooLong, "The text is longer than 2 GiB; split it into several.")
        }
        // json-c counts a scalar as a level too.
        guard let depth = Int32(exactly: depth + 1), let tokener = json_tokener_new_ex(depth) else {
            throw JSONError(.parserFailure, "There is no memory for a JSON parser.")
        }
        defer { json_tokener_free(tokener) }
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT)
        var parsed = json_tokener_parse_ex(tokener, text.baseAddress, length)
        if json_tokener_get_error(tokener) == json_tokener_continue {
            // A number or a literal at the top: only a byte more tells json-c that it has ended.
            parsed = json_tokener_parse_ex(tokener, " ", 1)
        }
        let error = json_tokener_get_error(tokener)
        guard error == json_tokener_success else {
            json_object_put(parsed)
            let reason = json_tokener_error_desc(error).map { String(cString: $0) } ?? "unknown error"
            throw JSONError(.parserFailure, "json-c refused a valid text: \(reason).")
        }
        return parsed
    }

    // MARK: Checking

    /// Checks what the scanner cannot see: that no double became infinite or zero. Returns how many members all objects
    /// have together; it is smaller than the scanner's count when json-c has dropped a repeated key.
    private static func verifiedMemberCount(_ node: OpaquePointer?) throws(JSONError) -> Int {
        switch json_object_get_type(node) {
        case json_type_double:
            try verifyDouble(node)
            return 0
        case json_type_array:
            var count = 0
            for index in 0..<json_object_array_length(node) {
                count += try verifiedMemberCount(json_object_array_get_idx(node, index))
            }
            return count
        case json_type_object:
            var count = Int(json_object_object_length(node))
            var next = forkjson_first_entry(node)
            while let member = next {
                count += try verifiedMemberCount(forkjson_entry_value(member))
                next = forkjson_next_entry(member)
            }
            return count
        default:
            return 0
        }
    }

    private static func verifyDouble(_ node: OpaquePointer?) throws(JSONError) {
        let double = json_object_get_double(node)
        guard double.isFinite else { throw NumberOutOfRange.tooLarge.error }
        guard double == 0, let source = forkjson_double_source(node) else { return }
        var next = source
        while next.pointee != 0 && next.pointee | 0x20 != CChar(UInt8(ascii: "e")) {
            if (CChar(UInt8(ascii: "1"))...CChar(UInt8(ascii: "9"))).contains(next.pointee) {
                throw NumberOutOfRange.tooSmall.error
            }
            next += 1
        }
    }

    // MARK: Writing

    private mutating func append(_ entry: TapeEntry) { tape.append(entry, progress: bytes.count) }

    private mutating func write(_ node: OpaquePointer?, in parent: UInt32, index: Int) {
        switch json_object_get_type(node) {
        case json_type_boolean:
            append(TapeEntry(json_object_get_boolean(node) != 0 ? .yes : .no))
        case json_type_double:
            append(TapeEntry(json_object_get_double(node)))
        case json_type_int:
            // json-c holds integers above Int64.max apart, does not say which it has, and saturates when asked for the
            // other.
            let unsigned = json_object_get_uint64(node)
            append(unsigned > UInt64(Int64.max) ? TapeEntry(unsigned) : TapeEntry(json_object_get_int64(node)))
        case json_type_string:
            write(
                UnsafeRawBufferPointer(
                    start: json_object_get_string(node), count: Int(json_object_get_string_len(node))))
        case json_type_array:
            let count = json_object_array_length(node)
            writeContainer(.array, in: parent, index: index, count: count) { tree, place in
                for index in 0..<count { tree.write(json_object_array_get_idx(node, index), in: place, index: index) }
            }
        case json_type_object:
            let count = Int(json_object_object_length(node))
            writeContainer(.object, in: parent, index: index, count: count) { tree, place in
                var next = forkjson_first_entry(node)
                while let member = next {
                    tree.write(
                        ModifiedUTF8.bytes(
                            UnsafeRawBufferPointer(
                                start: forkjson_entry_key(member), count: forkjson_entry_key_length(member))))
                    tree.write(forkjson_entry_value(member), in: place, index: 0)
                    next = forkjson_next_entry(member)
                }
            }
        default:
            append(TapeEntry(.null))
        }
    }

    private mutating func writeContainer(
        _ kind: TapeEntry.Kind, in parent: UInt32, index: Int, count: Int,
        _ body: (inout JSONCTree, UInt32) -> Void
    ) {
        let place = tape.count
        append(TapeEntry(open: kind, in: parent, index: index))
        body(&self, UInt32(truncatingIfNeeded: place))
        tape.entries[place].close(count: count, length: tape.count - place)
    }

    private mutating func write(_ string: some Collection<UInt8>) {
        append(TapeEntry(string: bytes.count, count: string.count, hasEscapes: false, isASCII: false))
        bytes.append(contentsOf: string)
    }
}
