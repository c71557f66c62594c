/// Cuts a stream of bytes into frames; the bytes may come in any portions. What a header says by itself is checked
/// here, what depends on earlier frames is not.
///
/// A frame is read in two steps, so that its reader can decide by the header where the body goes, and whether it goes
/// anywhere: ``nextHeader(from:)``, then ``body(from:)`` until the frame is whole.
package struct FrameReader {
    /// How many bytes have been taken so far.
    package private(set) var position: UInt64 = 0
    /// Where the header that came last, or is coming, begins.
    package private(set) var headerPosition: UInt64 = 0
    private var header = HeaderBuffer()
    /// How much of the body of the frame is still to come.
    package private(set) var missing = 0
    private var hasHello = false
    /// The first bytes of the stream, until the hello has come: what they say where it is none.
    private var opening: [UInt8] = []

    package init() {}

    /// Takes the next header from the front of the input; nil when the input is used up. The body of the frame before
    /// has been taken wholly.
    package mutating func nextHeader(from input: inout UnsafeRawBufferPointer) throws(WireError) -> FrameHeader? {
        if !hasHello { opening += input.prefix(Self.openingSize - opening.count) }
        if header.isEmpty { headerPosition = position }
        let before = input.count
        header.fill(from: &input)
        position += UInt64(before - input.count)
        // What the first four bytes tell is not left until the others have come.
        if let length = header.length { try Self.check(length: length) }
        guard let frame = try header.take() else { return nil }
        if frame.kind == .hello {
            if hasHello { throw .repeatedHello }
            hasHello = true
            opening = []
        } else if !hasHello {
            throw .noHello(frame.kind)
        }
        try frame.check()
        missing = frame.bodyCount
        return frame
    }

    /// Takes what there is of the frame's body, which is whole when nothing is ``missing``. It lies in the input.
    package mutating func body(from input: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let portion = input.removePrefix(min(missing, input.count))
        missing -= portion.count
        position += UInt64(portion.count)
        return portion
    }

    /// Bytes of the body that have been read to where they belong, and were in no input.
    package mutating func bodyWasRead(_ count: Int) {
        missing -= count
        position += UInt64(count)
    }

    /// Where the frame that has begun, and is not whole, begins; nil between frames.
    package var openPosition: UInt64? { header.isEmpty && missing == 0 ? nil : headerPosition }

    /// Where a header begins of which only a part has come.
    package var openHeaderPosition: UInt64? { header.isEmpty ? nil : headerPosition }

    private static func check(length: UInt32) throws(WireError) {
        if length < FrameHeader.countedSize { throw .lengthTooSmall(length) }
        if length > FrameHeader.largestLength { throw .frameTooLong(length) }
    }

    // MARK: The opening

    /// How much is kept of the first bytes.
    private static let openingSize = 16

    /// The first bytes of the stream, 16 at most, where they can't be the beginning of a hello: the peer does not speak
    /// this protocol, whatever the error is that they were refused with.
    package var foreignOpening: [UInt8]? {
        guard !hasHello, let first = opening.first else { return nil }
        // A length that a hello may have begins with a zero, and the kind follows the length.
        let isHello = first == 0 && (opening.count <= 4 || opening[4] == FrameKind.hello.rawValue)
        return isHello ? nil : opening
    }
}

extension FrameHeader {
    /// What the header says by itself, in the order in which `Protocols/native-v1.md` has it.
    fileprivate func check() throws(WireError) {
        if flags.rawValue != 0 { try checkFlags() }
        guard kind.allows(id: id) else { throw .idNotAllowed(kind, id) }
        if let expected = kind.bodyCount, bodyCount != expected { throw .wrongLength(kind, bodyCount) }
        if hasMore, bodyCount == 0 { throw .emptyFragment(kind) }
        let mostHandles = kind == .message || kind == .bytes ? FrameHeader.maximumHandleCount : 0
        if handleCount > mostHandles { throw .handlesDoNotMatch(announced: Int(handleCount), received: 0) }
    }
}

extension FrameHeader {
    fileprivate func checkFlags() throws(WireError) {
        let isOpenAllowed = !hasMore && id != 0 && kind != .failure
        let refused: FrameFlags = kind.isControl ? [.more, .open, .meta] : isOpenAllowed ? .none : .open
        if !flags.isDisjoint(with: refused) { throw .flagsNotAllowed(kind, flags.rawValue) }
    }
}

extension UnsafeRawBufferPointer {
    /// Cuts `count` bytes, which are there, off the front.
    package mutating func removePrefix(_ count: Int) -> UnsafeRawBufferPointer {
        defer { self = UnsafeRawBufferPointer(rebasing: self[count...]) }
        return UnsafeRawBufferPointer(rebasing: self[..<count])
    }
}

/// The bytes of a header that have come so far.
private struct HeaderBuffer {
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var count = 0

    var isEmpty: Bool { count == 0 }

    /// The length, as soon as its four bytes are there.
    var length: UInt32? {
        if count >= 8 { return UInt32(truncatingIfNeeded: first >> 32) }
        return count < 4 ? nil : UInt32(truncatingIfNeeded: first >> (8 * UInt64(count - 4)))
    }

    mutating func fill(from input: inout UnsafeRawBufferPointer) {
        if count == 0, input.count >= FrameHeader.size {
            first = UInt64(bigEndian: input.loadUnaligned(as: UInt64.self))
            second = UInt64(bigEndian: input.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            count = FrameHeader.size
            _ = input.removePrefix(FrameHeader.size)
            return
        }
        while count < FrameHeader.size, let byte = input.first {
            if count < 8 { first = first << 8 | UInt64(byte) } else { second = second << 8 | UInt64(byte) }
            count += 1
            _ = input.removePrefix(1)
        }
    }

    /// The header, if it is whole; the buffer is empty then.
    mutating func take() throws(WireError) -> FrameHeader? {
        guard count == FrameHeader.size else { return nil }
        count = 0
        let kind = UInt8(truncatingIfNeeded: first >> 24)
        let flags = FrameFlags(rawValue: UInt8(truncatingIfNeeded: first >> 16))
        guard let known = FrameKind(rawValue: kind) else { throw .unknownKind(kind) }
        if flags.rawValue & ~FrameFlags.known != 0 { throw .unknownFlags(flags.rawValue) }
        return FrameHeader(
            kind: known, flags: flags, handleCount: UInt16(truncatingIfNeeded: first), id: second,
            bodyCount: Int(first >> 32) - FrameHeader.countedSize)
    }
}
