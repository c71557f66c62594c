/// A whole line.
package struct Line {
    /// Where in the stream it begins, which is where its handle rides.
    package let position: UInt64
    package let body: MessageBody
}

/// Cuts a stream into lines, each a message of the Node dialect; the bytes may come in any portions, and each is looked
/// at once, however long its line is.
package struct LineDecoder {
    /// The longest line, in bytes, without its end.
    package var messageLimit: Int
    /// How many bytes have been taken so far.
    package private(set) var position: UInt64 = 0
    /// The beginning of a line whose end is still to come.
    private var line: [UInt8] = []
    private var linePosition: UInt64 = 0

    package init(messageLimit: Int) {
        self.messageLimit = messageLimit
    }

    /// Takes bytes from the front of the input until a line is complete; nil when the input is used up.
    ///
    /// - Parameter spare: memory to gather a long line in, where there is some.
    package mutating func next(
        from input: inout UnsafeRawBufferPointer, spare: inout [UInt8]
    ) throws(WireError) -> Line? {
        if line.isEmpty { linePosition = position }
        let end = input.firstNewline
        let part = UnsafeRawBufferPointer(rebasing: input[..<(end ?? input.count)])
        let length = line.count + part.count
        if length > messageLimit { throw .messageTooLong(length, limit: messageLimit) }
        let taken = end.map { $0 + 1 } ?? input.count
        input = UnsafeRawBufferPointer(rebasing: input[taken...])
        position += UInt64(taken)
        guard end != nil else {
            if line.isEmpty { swap(&line, &spare) }
            line.append(contentsOf: part)
            return nil
        }
        if line.isEmpty { return Line(position: linePosition, body: .borrowed(part)) }
        line.append(contentsOf: part)
        defer { line = [] }
        return Line(position: linePosition, body: .owned(line))
    }

    /// Where a line that is not complete begins.
    package var openPosition: UInt64? { line.isEmpty ? nil : linePosition }

    /// Says whether the stream may end here.
    package func endOfStream() throws(WireError) {
        if !line.isEmpty { throw .truncated }
    }
}

extension UnsafeRawBufferPointer {
    /// Where the first newline is; eight bytes are looked at in one go.
    fileprivate var firstNewline: Int? {
        let newline = UInt8(ascii: "\n")
        let pattern = UInt64(newline) &* 0x0101_0101_0101_0101
        var index = 0
        while index + 8 <= count {
            // A byte that equals the pattern's becomes zero, and is found by what subtracting one from it borrows.
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ pattern
            let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if zeros != 0 { return index + zeros.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count {
            if self[index] == newline { return index }
            index += 1
        }
        return nil
    }
}
