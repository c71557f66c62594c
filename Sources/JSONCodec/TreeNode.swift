internal import CJSON

/// A look at one node of a tree; it must not outlive the ``JSONDocument`` that owns it.
///
/// Every function of json-c that is called here only reads the node. That is part of the proof above ``JSONDocument``.
struct TreeNode {
    /// json-c represents null by a null pointer.
    let pointer: OpaquePointer?

    enum Kind {
        case null, bool, number, string, array, object
    }

    var isNull: Bool { pointer == nil }

    var kind: Kind {
        switch json_object_get_type(pointer) {
        case json_type_boolean: .bool
        case json_type_int, json_type_double: .number
        case json_type_string: .string
        case json_type_array: .array
        case json_type_object: .object
        default: .null
        }
    }

    // From here on the caller has looked at the kind: json-c aborts when a node is of another one.

    // MARK: Scalars

    var bool: Bool { json_object_get_boolean(pointer) != 0 }

    var number: Number {
        if json_object_is_type(pointer, json_type_double) != 0 {
            return .double(json_object_get_double(pointer))
        }
        // json-c holds integers above Int64.max apart, does not say which it has, and saturates when asked for the other.
        let unsigned = json_object_get_uint64(pointer)
        return unsigned > UInt64(Int64.max) ? .unsigned(unsigned) : .integer(json_object_get_int64(pointer))
    }

    var string: String {
        let start = UnsafeRawPointer(json_object_get_string(pointer))
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(json_object_get_string_len(pointer)))
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Arrays

    var elementCount: Int { json_object_array_length(pointer) }

    func element(_ index: Int) -> TreeNode {
        TreeNode(pointer: json_object_array_get_idx(pointer, index))
    }

    // MARK: Objects

    var memberCount: Int { Int(json_object_object_length(pointer)) }

    var members: Members { Members(entry: forkjson_first_entry(pointer)) }

    func member(_ key: String) -> TreeNode? {
        let found: TreeNode?? = key.withCString { cKey in
            // A NUL in the key would end it early.
            forkjson_length(cKey) == key.utf8.count ? .some(member(cKey: cKey)) : nil
        }
        if let found { return found }
        return (ModifiedUTF8.bytes(key) + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { member(cKey: $0.baseAddress) }
        }
    }

    private func member(cKey: UnsafePointer<CChar>?) -> TreeNode? {
        var value: OpaquePointer?
        return json_object_object_get_ex(pointer, cKey, &value) != 0 ? TreeNode(pointer: value) : nil
    }

    struct Members: Sequence, IteratorProtocol {
        fileprivate var entry: UnsafePointer<lh_entry>?

        mutating func next() -> (key: String, value: TreeNode)? {
            guard let entry else { return nil }
            self.entry = forkjson_next_entry(entry)
            let start = UnsafeRawPointer(forkjson_entry_key(entry))
            let bytes = UnsafeRawBufferPointer(start: start, count: forkjson_entry_key_length(entry))
            let key = bytes.withMemoryRebound(to: UInt8.self) { ModifiedUTF8.string($0) }
            return (key, TreeNode(pointer: forkjson_entry_value(entry)))
        }

        /// The next value, without making a string of its key.
        fileprivate mutating func nextValue() -> TreeNode? {
            guard let entry else { return nil }
            self.entry = forkjson_next_entry(entry)
            return TreeNode(pointer: forkjson_entry_value(entry))
        }
    }
}

// MARK: - Whole subtrees

extension TreeNode {
    /// The subtree as a value.
    var json: JSON {
        switch kind {
        case .null: return .null
        case .bool: return .bool(bool)
        case .string: return .string(string)
        case .array: return .array((0..<elementCount).map { element($0).json })
        case .object:
            var unique: [(ExactString, JSON)] = []
            unique.reserveCapacity(memberCount)
            for (key, value) in members { unique.append((ExactString(key), value.json)) }
            return .object(JSON.Object(uniqueMembers: unique))
        case .number:
            switch number {
            case .integer(let integer): return .integer(integer)
            case .unsigned(let unsigned): return .unsigned(unsigned)
            case .double(let double): return .double(double)
            }
        }
    }

    /// Checks what the scanner cannot see: that no double became infinite or zero. Returns how many members all objects
    /// have together; it is smaller than the scanner's count when json-c has dropped a repeated key.
    func verifiedMemberCount() throws(JSONError) -> Int {
        switch json_object_get_type(pointer) {
        case json_type_double:
            try verifyDouble()
            return 0
        case json_type_array:
            var count = 0
            for index in 0..<elementCount { count += try element(index).verifiedMemberCount() }
            return count
        case json_type_object:
            var count = memberCount
            var members = members
            while let value = members.nextValue() { count += try value.verifiedMemberCount() }
            return count
        default:
            return 0
        }
    }

    private func verifyDouble() throws(JSONError) {
        let double = json_object_get_double(pointer)
        guard double.isFinite else {
            throw JSONError(.numberOutOfRange, "A number is larger than any double; send it as a string.")
        }
        guard double == 0, let source = forkjson_double_source(pointer) else { return }
        var next = source
        while next.pointee != 0 && next.pointee | 0x20 != CChar(UInt8(ascii: "e")) {
            if (CChar(UInt8(ascii: "1"))...CChar(UInt8(ascii: "9"))).contains(next.pointee) {
                throw JSONError(
                    .numberOutOfRange, "A number is not zero, but nearer to zero than any double; send it as a string.")
            }
            next += 1
        }
    }

    /// Makes every integer that no double equals the double that is nearest. The only change of a tree after its parse, and
    /// made before anybody else knows it.
    func roundIntegers() {
        switch kind {
        case .array: for index in 0..<elementCount { element(index).roundIntegers() }
        case .object:
            var members = members
            while let value = members.nextValue() { value.roundIntegers() }
        case .number:
            switch number {
            case .integer(let integer) where Double(exactly: integer) == nil:
                // The nearest double of the largest integers is 2^63, which no Int64 is.
                if let nearest = Int64(exactly: Double(integer)) {
                    json_object_set_int64(pointer, nearest)
                } else {
                    json_object_set_uint64(pointer, 1 << 63)
                }
            case .unsigned(let unsigned) where Double(exactly: unsigned) == nil:
                // That of these may be 2^64, which JavaScript writes as 18446744073709552000, and so never comes here.
                if let nearest = UInt64(exactly: Double(unsigned)) { json_object_set_uint64(pointer, nearest) }
            case .integer, .unsigned, .double: break
            }
        case .null, .bool, .string: break
        }
    }
}
