internal import JSONCodec

/// Makes frames of messages.
package enum FrameEncoder {
    /// Bodies longer than this are cut, so that a control frame never has to wait for more than one such piece.
    package static let fragmentSize = 1 << 20

    /// Appends a frame of one fragment, its body written by `body`. Where that throws, `bytes` is as it was before.
    package static func append(
        _ kind: FrameKind, to bytes: inout [UInt8], body: (inout [UInt8]) throws -> Void
    ) rethrows {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: FrameHeader.size))
        do {
            try body(&bytes)
        } catch {
            bytes.removeSubrange(start...)
            throw error
        }
        FrameHeader(kind: kind, bodyCount: bytes.count - start - FrameHeader.size).write(to: &bytes, at: start)
    }

    /// Appends a message of JSON text.
    package static func appendMessage(_ value: some Encodable, to bytes: inout [UInt8]) throws {
        try append(.message, to: &bytes) { try JSONText.append(value, to: &$0) }
    }

    /// The headers and ranges of the fragments of a long body, in order.
    package static func fragments(_ kind: FrameKind, bodyCount: Int) -> [(header: FrameHeader, range: Range<Int>)] {
        stride(from: 0, to: max(bodyCount, 1), by: fragmentSize).map { start in
            let end = min(start + fragmentSize, bodyCount)
            return (FrameHeader(kind: kind, hasMore: end < bodyCount, bodyCount: end - start), start..<end)
        }
    }

    static func control(_ kind: FrameKind, _ body: some Encodable) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try append(kind, to: &bytes) { try JSONText.append(body, to: &$0) }
        return bytes
    }
}
