internal import CJSON

/// A parsed and checked JSON text, to be read as often as wanted, from any thread.
///
/// `@unchecked Sendable`: json-c's trees are not thread-safe because their reference counts are plain integers and because
/// some getters write to the node (`json_object_get_string` on anything but a string caches the printed form). Nothing
/// here does either: the tree is built and checked before `init` returns and is immutable from then on, no reference is
/// ever taken or dropped, ``TreeNode`` calls only getters that read, and the one `json_object_put` is in ``Tree``'s
/// `deinit`, which runs when nobody can read any more, because every reader holds the document.
package final class JSONDocument: @unchecked Sendable {
    private let tree: Tree
    /// Nil for a whole text. Otherwise this is a part of its tree, and keeps it.
    private let whole: JSONDocument?

    /// Some key in the tree is not plain ASCII, or was written with an escape.
    let hasUnusualKeys: Bool

    /// Parses one JSON text. The bytes are not kept.
    ///
    /// - Parameters:
    ///   - maximumDepth: bounds the stack that parsing, reading and releasing need.
    ///   - numbersAreDoubles: the writer has no other numbers than doubles, and writes large ones in their shortest form,
    ///     as JavaScript does: an integer that no double equals stands for the double that is nearest.
    package init(
        parsing bytes: UnsafeRawBufferPointer, maximumDepth: Int = 512, numbersAreDoubles: Bool = false
    ) throws(JSONError) {
        let scanned = try Scanner.scan(bytes, maximumDepth: maximumDepth)
        if scanned.edits.isEmpty {
            tree = try Tree(parsing: UnsafeRawBufferPointer(rebasing: bytes[scanned.value]), depth: scanned.depth)
        } else {
            tree = try Tree(parsing: TextEdit.apply(scanned.edits, to: bytes, in: scanned.value), depth: scanned.depth)
        }
        whole = nil
        hasUnusualKeys = scanned.hasUnusualKeys
        guard try root.verifiedMemberCount() == scanned.memberCount else {
            throw JSONError(.duplicateKey, "An object has the same key twice; readers disagree on which value counts.")
        }
        if numbersAreDoubles, JSONText.firstIntegerBeyondDouble(in: bytes) != nil { root.roundIntegers() }
    }

    private init(_ node: TreeNode, in document: JSONDocument) {
        tree = Tree(borrowing: node.pointer)
        whole = document.whole ?? document
        hasUnusualKeys = document.hasUnusualKeys
    }

    /// A member of the object that this is; nil where it is none, or has no such member.
    package func member(_ key: String) -> JSONDocument? {
        guard root.kind == .object, let node = root.member(key) else { return nil }
        return JSONDocument(node, in: self)
    }

    /// The string that this is, where it is one.
    package var string: String? {
        withExtendedLifetime(self) { root.kind == .string ? root.string : nil }
    }

    var root: TreeNode { TreeNode(pointer: tree.root) }

    /// The whole text as a value.
    package var json: JSON { withExtendedLifetime(self) { root.json } }

    /// Reads a `T` from the tree, without a ``JSON`` value in between.
    ///
    /// - Throws: `DecodingError`, with the path to the value that does not fit.
    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try withExtendedLifetime(self) { try root.value(type, in: self, at: .root) }
    }
}

/// Owns a tree of json-c's. A null is represented by no pointer.
private struct Tree: ~Copyable {
    let root: OpaquePointer?
    private let isOwned: Bool

    /// A part of another tree.
    init(borrowing root: OpaquePointer?) {
        self.root = root
        isOwned = false
    }

    /// Parses a text that the scanner has accepted.
    init(parsing text: UnsafeRawBufferPointer, depth: Int) throws(JSONError) {
        root = try Self.parse(text, depth: depth)
        isOwned = true
    }

    private static func parse(_ text: UnsafeRawBufferPointer, depth: Int) throws(JSONError) -> OpaquePointer? {
        guard let length = Int32(exactly: text.count) else {
            throw JSONError(.tooLong, "The text is longer than 2 GiB; split it into several.")
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

    init(parsing text: [UInt8], depth: Int) throws(JSONError) {
        root = try text.withUnsafeBufferPointer { (bytes) throws(JSONError) in
            try Self.parse(UnsafeRawBufferPointer(bytes), depth: depth)
        }
        isOwned = true
    }

    deinit {
        if isOwned { json_object_put(root) }
    }
}
