/// What a frame carries. The numbers are part of the protocol (`Protocols/native-v1.md`).
package enum FrameKind: UInt8, Sendable, CaseIterable {
    /// The first frame of each side: version, features and limits, as JSON.
    case hello = 0x01
    /// The last frame of a side that gives the channel up, and why, as JSON.
    case abort = 0x02
    /// A message of JSON text.
    case message = 0x10
    /// A message of bytes.
    case bytes = 0x11

    /// Whether it may stand between the fragments of a message.
    package var isControl: Bool { rawValue < 0x10 }
}

/// The eight bytes in front of every body, big-endian: length of all that follows the length, kind, flags, number of
/// descriptors.
package struct FrameHeader: Equatable, Sendable {
    package static let size = 8
    /// The most handles that a message may have: what Linux passes with one call.
    package static let maximumHandleCount = 253
    /// How many bytes of the header the length counts.
    static let countedSize = 4
    /// The flag of every fragment but a message's last.
    static let moreFlag: UInt8 = 0x01

    package var kind: FrameKind
    /// Another fragment of this message follows.
    package var hasMore: Bool
    package var handleCount: UInt16
    package var bodyCount: Int

    package init(kind: FrameKind, hasMore: Bool = false, handleCount: UInt16 = 0, bodyCount: Int) {
        self.kind = kind
        self.hasMore = hasMore
        self.handleCount = handleCount
        self.bodyCount = bodyCount
    }

    /// Writes the header over eight bytes that are there already.
    package func write(to bytes: inout [UInt8], at offset: Int) {
        let length = UInt32(bodyCount + Self.countedSize)
        for index in 0..<4 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(index)))
        }
        bytes[offset + 4] = kind.rawValue
        bytes[offset + 5] = hasMore ? Self.moreFlag : 0
        bytes[offset + 6] = UInt8(handleCount >> 8)
        bytes[offset + 7] = UInt8(handleCount & 0xff)
    }

    /// The header as bytes of its own.
    package var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        write(to: &bytes, at: 0)
        return bytes
    }
}
