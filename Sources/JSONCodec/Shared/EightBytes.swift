/// Eight bytes of text at once.
///
/// Each test sets the top bit of the bytes that it finds. A borrow can set it wrongly too, but only above a byte that
/// was found, so the lowest bit that is set is right.
struct EightBytes {
    private static let low: UInt64 = 0x0101_0101_0101_0101
    static let tops = low &* 0x80

    let bytes: UInt64

    @inline(__always)
    init(at start: UnsafeRawPointer) {
        bytes = UInt64(littleEndian: start.loadUnaligned(as: UInt64.self))
    }

    /// Fewer than eight bytes, with spaces behind them.
    @inline(__always)
    init(shorter start: UnsafeRawPointer, count: Int) {
        let spaces = count == 0 ? Self.low &* 0x20 : (Self.low &* 0x20) << UInt64(8 * count)
        switch count {
        case 4...:
            let low = UInt64(UInt32(littleEndian: start.loadUnaligned(as: UInt32.self)))
            let high = UInt64(UInt32(littleEndian: start.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)))
            bytes = spaces | low | high << UInt64(8 * (count - 4))
        case 2...:
            let low = UInt64(UInt16(littleEndian: start.loadUnaligned(as: UInt16.self)))
            let high = UInt64(UInt16(littleEndian: start.loadUnaligned(fromByteOffset: count - 2, as: UInt16.self)))
            bytes = spaces | low | high << UInt64(8 * (count - 2))
        case 1: bytes = spaces | UInt64(start.load(as: UInt8.self))
        default: bytes = spaces
        }
    }

    @inline(__always)
    var backslashes: UInt64 { (bytes ^ Self.low &* 0x5C) &- Self.low }

    /// Quotes, backslashes and control characters.
    @inline(__always)
    var special: UInt64 {
        let controls = bytes &- Self.low &* 0x20
        let quotes = (bytes ^ Self.low &* 0x22) &- Self.low
        return controls | quotes | backslashes
    }

    /// How many bytes stand before the first that is found.
    @inline(__always)
    static func plainCount(before found: UInt64) -> Int { found.trailingZeroBitCount / 8 }

    /// The bytes that cannot stand in a string as they are. Bytes beyond ASCII can, so their top bits are masked.
    @inline(__always)
    var mustEscape: UInt64 { special & ~bytes & Self.tops }
}
