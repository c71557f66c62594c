/// What a frame carries. The numbers are part of the protocol (`Protocols/native-v1.md`).
package enum FrameKind: UInt8, Sendable, CaseIterable {
    /// The first frame of each side: version, features and limits, as JSON.
    case hello = 0x01
    /// The last frame of a side that gives the channel up, and why, as JSON.
    case abort = 0x02
    /// Asks for a pong of the same eight bytes.
    case ping = 0x03
    case pong = 0x04
    /// How much more of an id may be sent, and how many ids may be opened.
    case credit = 0x05
    /// Nobody waits for the end of a conversation any more.
    case cancel = 0x06
    /// The sender has no more data: under an id, or, with the id 0, at all.
    case end = 0x07
    /// A message of JSON text.
    case message = 0x10
    /// A message of bytes.
    case bytes = 0x11
    /// The last message of a conversation, which could not be ended otherwise; JSON.
    case failure = 0x12

    /// Whether it stands outside of the messages, and may stand between their frames.
    package var isControl: Bool { rawValue < 0x10 }

    /// How long the body of such a frame is, where that is always the same.
    var bodyCount: Int? {
        switch self {
        case .ping, .pong: 8
        case .credit: 16
        case .cancel, .end: 0
        case .hello, .abort, .message, .bytes, .failure: nil
        }
    }

    /// Whether a frame of the kind may have this id.
    func allows(id: UInt64) -> Bool {
        switch self {
        case .hello, .abort, .ping, .pong: id == 0
        case .cancel, .failure: id != 0
        case .credit, .end, .message, .bytes: true
        }
    }
}

/// What a frame says of the message that it is a part of.
///
/// No `OptionSet`: in another module its operations would be called by way of its conformance, which costs more than
/// the rest of a small message.
package struct FrameFlags: Hashable, Sendable, ExpressibleByArrayLiteral {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package init(arrayLiteral elements: FrameFlags...) {
        self = elements.reduce(FrameFlags.none) { $0.union($1) }
    }

    package static var none: FrameFlags { FrameFlags(rawValue: 0) }
    /// The message goes on in the next data frame of this id.
    package static var more: FrameFlags { FrameFlags(rawValue: 0x01) }
    /// More messages of the sender follow under this id.
    package static var open: FrameFlags { FrameFlags(rawValue: 0x02) }
    /// The body begins with a description of the message.
    package static var meta: FrameFlags { FrameFlags(rawValue: 0x04) }

    static let known: UInt8 = 0x07

    package func contains(_ flag: FrameFlags) -> Bool { rawValue & flag.rawValue == flag.rawValue }

    package func isDisjoint(with other: FrameFlags) -> Bool { rawValue & other.rawValue == 0 }

    package func union(_ other: FrameFlags) -> FrameFlags { FrameFlags(rawValue: rawValue | other.rawValue) }

    package func intersection(_ other: FrameFlags) -> FrameFlags { FrameFlags(rawValue: rawValue & other.rawValue) }

    package mutating func insert(_ other: FrameFlags) { self = union(other) }
}

/// The sixteen bytes in front of every body, big-endian: length of all that follows the length, kind, flags, number of
/// descriptors, id.
package struct FrameHeader: Hashable, Sendable {
    package static let size = 16
    /// The longest body of a frame.
    package static let largestBody = 262_144
    /// The most handles that a message may have: what Linux passes with one call.
    package static let maximumHandleCount = 253
    /// How many bytes of the header the length counts.
    static let countedSize = 12
    /// The largest length there may be.
    static let largestLength = UInt32(largestBody + countedSize)

    package var kind: FrameKind
    package var flags: FrameFlags
    package var handleCount: UInt16
    /// The conversation; 0 for plain messages.
    package var id: UInt64
    package var bodyCount: Int

    package init(
        kind: FrameKind, flags: FrameFlags = .none, handleCount: UInt16 = 0, id: UInt64 = 0, bodyCount: Int
    ) {
        self.kind = kind
        self.flags = flags
        self.handleCount = handleCount
        self.id = id
        self.bodyCount = bodyCount
    }

    /// How long the frame is.
    package var count: Int { Self.size + bodyCount }

    /// The message goes on in another frame.
    package var hasMore: Bool { flags.contains(.more) }

    /// Writes the header over sixteen bytes that are there already.
    package func write(to bytes: inout [UInt8], at offset: Int) {
        let length = UInt64(bodyCount + Self.countedSize)
        let first = length << 32 | UInt64(kind.rawValue) << 24 | UInt64(flags.rawValue) << 16 | UInt64(handleCount)
        bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: first.bigEndian, toByteOffset: offset, as: UInt64.self)
            buffer.storeBytes(of: id.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
        }
    }

    /// The header as bytes of its own.
    package var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        write(to: &bytes, at: 0)
        return bytes
    }
}
