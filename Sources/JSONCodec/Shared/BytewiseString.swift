/// A string compared by its UTF-8 bytes.
///
/// `String.==` is canonical equivalence: a dictionary keyed by `String` merges "\u{e9}" and "e\u{301}", which are two
/// different keys in JSON, and one of the two values would be lost.
struct BytewiseString: Hashable, Sendable {
    let string: String

    init(_ string: String) {
        self.string = string
    }

    static func == (left: BytewiseString, right: BytewiseString) -> Bool {
        guard left.string.utf8.count == right.string.utf8.count else { return false }
        var left = left.string
        var right = right.string
        return left.withUTF8 { left in right.withUTF8 { right in left.elementsEqual(right) } }
    }

    func hash(into hasher: inout Hasher) {
        var string = string
        string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(0xFF as UInt8)  // never occurs in UTF-8, so it ends the string
    }
}
