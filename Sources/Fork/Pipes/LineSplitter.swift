/// Cuts a stream of bytes into lines, whatever pieces it comes in. A value: bytes in, lines out.
///
/// "\n" and "\r\n" end a line. A line that is longer than the limit comes in pieces of at most that length, none of
/// which ends within a character.
struct LineSplitter {
    /// The longest line, in bytes, that comes in one piece.
    static let defaultLimit = 1 << 20

    private let limit: Int
    private var bytes: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    /// Up to where no end of a line was found.
    private var scanned = 0

    init(limit: Int = defaultLimit) {
        self.limit = limit
    }

    mutating func append(_ chunk: [UInt8]) {
        bytes.removeFirst(start)
        scanned -= start
        start = 0
        bytes += chunk
    }

    /// The next line that is complete, or the next piece of one that is too long; nil if more bytes are needed.
    mutating func next() -> String? {
        if let end = lineEnd() {
            let hasReturn = end > start && bytes[end - 1] == UInt8(ascii: "\r")
            let contentEnd = hasReturn ? end - 1 : end
            if contentEnd - start > limit { return takePiece() }
            return take(upTo: contentEnd, next: end + 1)
        }
        // The last byte may be a "\r" that belongs to the line's end.
        return bytes.count - start >= limit + 2 ? takePiece() : nil
    }

    /// What follows the last end of a line, once no more bytes will come; nil if that is nothing.
    mutating func finish() -> String? {
        if start == bytes.count { return nil }
        if bytes.count - start > limit { return takePiece() }
        return take(upTo: bytes.count, next: bytes.count)
    }

    private mutating func lineEnd() -> Int? {
        let end = bytes.withUnsafeBufferPointer { bytes in
            var index = scanned
            while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
            return index
        }
        scanned = end
        return end < bytes.count ? end : nil
    }

    /// There are more bytes than the limit.
    private mutating func takePiece() -> String {
        let longest = start + limit
        var end = longest
        // A character has three bytes at most after its first.
        while end > longest - 4, end > start, bytes[end] & 0b1100_0000 == 0b1000_0000 { end -= 1 }
        if end == start || bytes[end] & 0b1100_0000 == 0b1000_0000 { end = longest }
        return take(upTo: end, next: end)
    }

    private mutating func take(upTo end: Int, next: Int) -> String {
        defer {
            start = next
            scanned = max(scanned, next)
        }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }
}
