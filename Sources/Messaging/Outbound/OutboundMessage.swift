internal import Wire

/// A message on its way into the queue.
struct OutboundMessage {
    var kind: FrameKind
    /// The body, behind the header of a plain message in one frame, or at least the room for one; or alone.
    var bytes: [UInt8]
    /// Where in the bytes the body begins.
    let bodyStart: Int
    /// META, and OPEN for its last frame.
    let flags: FrameFlags
    let handles: OutboundHandles?

    /// - Parameter bytes: whoever still refers to them makes the header a copy of all.
    init(
        kind: FrameKind, bytes: consuming [UInt8], bodyStart: Int = FrameHeader.size, flags: FrameFlags = .none,
        handles: OutboundHandles? = nil
    ) {
        self.kind = kind
        self.bodyStart = bodyStart
        self.flags = flags
        self.handles = handles
        let bodyCount = bytes.count - bodyStart
        if bodyStart == FrameHeader.size, bodyCount <= FrameHeader.largestBody {
            let header = FrameHeader(
                kind: kind, flags: flags, handleCount: UInt16(handles?.count ?? 0), id: 0, bodyCount: bodyCount)
            header.write(to: &bytes, at: 0)
        }
        self.bytes = bytes
    }

    var bodyCount: Int { bytes.count - bodyStart }
    /// What its first frame needs of the queue, and the rest of its body.
    var queuedCount: Int { kind.isControl ? 0 : bodyCount + FrameHeader.size }
    /// Its length as the peer's limit has it: without the description.
    var messageCount: Int {
        if !flags.contains(.meta) { return bodyCount }
        return bodyCount - 2 - (Int(bytes[bodyStart]) << 8 | Int(bytes[bodyStart + 1]))
    }
    /// Whether the bytes are a frame of id 0.
    var isFrame: Bool { bodyStart == FrameHeader.size && bodyCount <= FrameHeader.largestBody }
    var cost: UInt64 { Cost.of(bodyCount: bodyCount, handleCount: handles?.count ?? 0) }

    /// Gives its memory away.
    mutating func takeBytes() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    /// The end of this side's direction of a conversation, in its place behind the messages.
    static let end = OutboundMessage(kind: .end, bytes: [UInt8](repeating: 0, count: FrameHeader.size))
}
