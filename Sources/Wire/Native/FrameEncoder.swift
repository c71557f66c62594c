internal import JSONCodec

/// Makes frames.
package enum FrameEncoder {
    /// Appends room for a header, and bytes as they are; the header is written where the frame goes out.
    package static func appendBody(_ body: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: emptyHeader)
        bytes.append(contentsOf: body)
    }

    /// The same for a message of JSON text. Where that throws, `bytes` is as it was before.
    package static func appendMessage(
        _ value: some Encodable, description: MessageDescription? = nil, to bytes: inout [UInt8]
    ) throws {
        let start = bytes.count
        bytes.append(contentsOf: emptyHeader)
        do {
            try description?.append(to: &bytes)
            try JSONText.append(value, to: &bytes)
        } catch {
            bytes.removeSubrange(start...)
            throw error
        }
    }

    private static let emptyHeader = [UInt8](repeating: 0, count: FrameHeader.size)

    /// A whole control frame.
    package static func control(_ kind: FrameKind, id: UInt64 = 0, _ numbers: UInt64...) -> [UInt8] {
        var bytes = FrameHeader(kind: kind, id: id, bodyCount: 8 * numbers.count).bytes
        for number in numbers { withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) } }
        return bytes
    }

    /// A message that opens a conversation and says nothing.
    package static func emptyOpening(_ id: UInt64) -> [UInt8] {
        let body: [UInt8] = [0, 2] + Array("{}".utf8)
        return FrameHeader(kind: .bytes, flags: .meta, id: id, bodyCount: body.count).bytes + body
    }

    static func frame(_ kind: FrameKind, json body: some Encodable) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try appendMessage(body, to: &bytes)
        FrameHeader(kind: kind, bodyCount: bytes.count - FrameHeader.size).write(to: &bytes, at: 0)
        return bytes
    }

    // MARK: What has been written of frames

    /// How many messages end within the range in bytes that are whole frames.
    package static func messageCount(in bytes: [UInt8], _ range: Range<Int>) -> Int {
        Frames(bytes).count { frame in
            frame.isLastOfMessage && range.lowerBound < frame.range.upperBound
                && frame.range.upperBound <= range.upperBound
        }
    }

    /// How long the frame is that begins at the offset, with its header.
    package static func frameCount(in bytes: [UInt8], at offset: Int) -> Int {
        bytes.withUnsafeBytes { 4 + Int(UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) }
    }

    /// The id of a frame whose header the bytes begin with.
    package static func id(in bytes: [UInt8]) -> UInt64 {
        bytes[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The flags of the same.
    package static func flags(in bytes: [UInt8]) -> FrameFlags {
        FrameFlags(rawValue: bytes[5])
    }

    /// Where the frame ends that has been begun at the offset, in bytes that are whole frames. The offset itself where
    /// it is the border of two.
    package static func frameBorder(in bytes: [UInt8], from offset: Int) -> Int {
        for frame in Frames(bytes) where frame.range.upperBound >= offset {
            return frame.range.lowerBound >= offset ? offset : frame.range.upperBound
        }
        return offset
    }
}

/// Walks over whole frames, one after the other.
private struct Frames: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var start = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next() -> (range: Range<Int>, isLastOfMessage: Bool)? {
        guard start + FrameHeader.size <= bytes.count else { return nil }
        let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        let range = start..<start + 4 + length
        start = range.upperBound
        let isControl = FrameKind(rawValue: bytes[range.lowerBound + 4])?.isControl ?? true
        let hasMore = FrameFlags(rawValue: bytes[range.lowerBound + 5]).contains(.more)
        return (range, !isControl && !hasMore)
    }
}
