/// One value, or one key, of a ``Tape``.
///
/// Two words. `head` has the kind in its lowest four bits; the rest of it, and `payload`, are:
/// - integers and doubles: the 64 bits of the number in `payload`;
/// - strings: the number of bytes in the upper half of `head`, a bit for plain ASCII, and in `payload` where they
///   begin;
/// - arrays and objects: how many entries lie between this one and what follows the last inside (30 bits), how many
///   elements or members there are (30 bits), and in `payload` the container around this one and the index in it.
///   So the way back to the top needs no look at what stands before.
///
/// Thirty bits are enough: an entry takes two bytes of text or more, and no text has more than 2 GiB.
struct TapeEntry: Equatable {
    private(set) var head: UInt64
    private(set) var payload: UInt64

    @inline(__always)
    init(_ kind: Kind, payload: UInt64 = 0) {
        head = UInt64(kind.rawValue)
        self.payload = payload
    }

    /// `!`: no other number is ever written there.
    @inline(__always)
    var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: head & 0xF))! }

    @inline(__always)
    func isKind(_ kind: Kind) -> Bool { head & 0xF == UInt64(kind.rawValue) }

    // MARK: Numbers

    @inline(__always)
    init(_ integer: Int64) { self.init(.integer, payload: UInt64(bitPattern: integer)) }

    @inline(__always)
    init(_ unsigned: UInt64) { self.init(.unsigned, payload: unsigned) }

    @inline(__always)
    init(_ double: Double) { self.init(.double, payload: double.bitPattern) }

    @inline(__always)
    init(_ number: JSONNumber) {
        switch number {
        case .integer(let integer): self.init(integer)
        case .unsigned(let unsigned): self.init(unsigned)
        case .double(let double): self.init(double)
        }
    }

    /// The number, or nil if this is another kind of value.
    @inline(__always)
    var number: JSONNumber? {
        switch kind {
        case .integer: .integer(Int64(bitPattern: payload))
        case .unsigned: .unsigned(payload)
        case .double: .double(Double(bitPattern: payload))
        default: nil
        }
    }

    // MARK: Strings

    @inline(__always)
    init(string offset: Int, count: Int, hasEscapes: Bool, isASCII: Bool) {
        head =
            UInt64(count) << 32 | (isASCII ? 0x10 : 0)
            | UInt64((hasEscapes ? Kind.escapedString : Kind.string).rawValue)
        payload = UInt64(offset)
    }

    @inline(__always)
    var isString: Bool { isKind(.string) || isKind(.escapedString) }
    /// How many bytes of text the string has.
    @inline(__always)
    var byteCount: Int { Int(head >> 32) }
    @inline(__always)
    var isASCII: Bool { head & 0x10 != 0 }
    @inline(__always)
    var offset: Int { Int(payload) }

    // MARK: Arrays and objects

    /// Stands for no container.
    static let none = UInt32.max

    /// A container that is still open. Its count can be noted; the rest follows with ``close(count:length:)``.
    @inline(__always)
    init(open kind: Kind, in parent: UInt32, index: Int) {
        head = UInt64(kind.rawValue)
        payload = UInt64(truncatingIfNeeded: index) << 32 | UInt64(parent)
    }

    @inline(__always)
    mutating func close(count: Int, length: Int) {
        head = head & 0xF | UInt64(length - 1) << 4 | UInt64(count) << 34
    }

    @inline(__always)
    mutating func note(count: Int) {
        head = head & 0xF | UInt64(count) << 34
    }

    @inline(__always)
    var isContainer: Bool { head & 0xF >= UInt64(Kind.array.rawValue) }
    @inline(__always)
    var count: Int { Int(head >> 34) }
    @inline(__always)
    var parent: UInt32 { UInt32(truncatingIfNeeded: payload) }
    @inline(__always)
    var index: Int { Int(payload >> 32) }

    /// How many entries the value takes, itself included.
    @inline(__always)
    var length: Int { isContainer ? Int(head >> 4 & 0x3FFF_FFFF) + 1 : 1 }

    // MARK: Messages

    /// What the value is, in an error.
    var kindDescription: String {
        switch kind {
        case .null: "null"
        case .no, .yes: "a boolean"
        case .integer, .unsigned, .double: "a number"
        case .string, .escapedString: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension TapeEntry {
    enum Kind: UInt8 {
        case null, no, yes, integer, unsigned, double
        /// The bytes are those of the text as they are.
        case string
        /// The bytes are still to be unescaped.
        case escapedString
        case array, object
    }
}
