internal import JSONCodec

/// Makes frames of messages.
package enum FrameEncoder {
    /// Bodies longer than this are cut, so that a control frame never has to wait for more than one such piece.
    package static let fragmentSize = 1 << 20

    /// Appends a frame of one fragment, its body written by `body`. Where that throws, `bytes` is as it was before.
    package static func append(
        _ kind: FrameKind, handleCount: Int = 0, to bytes: inout [UInt8], body: (inout [UInt8]) throws -> Void
    ) rethrows {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: FrameHeader.size))
        do {
            try body(&bytes)
        } catch {
            bytes.removeSubrange(start...)
            throw error
        }
        FrameHeader(
            kind: kind, handleCount: UInt16(handleCount), bodyCount: bytes.count - start - FrameHeader.size
        ).write(to: &bytes, at: start)
    }

    /// Appends a message of JSON text.
    package static func appendMessage(
        _ value: some Encodable, handleCount: Int = 0, to bytes: inout [UInt8]
    ) throws {
        try append(.message, handleCount: handleCount, to: &bytes) { try JSONText.append(value, to: &$0) }
    }

    /// The headers and ranges of the fragments of a long body, in order. Handles ride with the first.
    package static func fragments(
        _ kind: FrameKind, handleCount: Int = 0, bodyCount: Int
    ) -> [(header: FrameHeader, range: Range<Int>)] {
        stride(from: 0, to: max(bodyCount, 1), by: fragmentSize).map { start in
            let end = min(start + fragmentSize, bodyCount)
            let header = FrameHeader(
                kind: kind, hasMore: end < bodyCount, handleCount: start == 0 ? UInt16(handleCount) : 0,
                bodyCount: end - start)
            return (header, start..<end)
        }
    }

    /// How many messages end behind the offset in bytes that are whole frames.
    package static func messageCount(in bytes: [UInt8], behind offset: Int) -> Int {
        var count = 0
        var start = 0
        while start + FrameHeader.size <= bytes.count {
            let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            let isMessage = FrameKind(rawValue: bytes[start + 4]).map { !$0.isControl } ?? false
            start += 4 + length
            if isMessage, start > offset { count += 1 }
        }
        return count
    }

    static func control(_ kind: FrameKind, _ body: some Encodable) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try append(kind, to: &bytes) { try JSONText.append(body, to: &$0) }
        return bytes
    }
}
