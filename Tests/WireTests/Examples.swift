import Wire

/// Frames to read.
enum Example {
    static let hello: [UInt8] = {
        guard let frame = try? Hello(limits: Hello.Limits(message: 65_536, window: 262_144, ids: 256)).frame() else {
            preconditionFailure("A hello of our own.")
        }
        return frame
    }()

    static func frame(
        _ kind: FrameKind, _ body: [UInt8] = [], flags: FrameFlags = [], handleCount: UInt16 = 0, id: UInt64 = 0
    ) -> [UInt8] {
        header(kind, body.count, flags: flags, handleCount: handleCount, id: id) + body
    }

    static func header(
        _ kind: FrameKind, _ bodyCount: Int, flags: FrameFlags = [], handleCount: UInt16 = 0, id: UInt64 = 0
    ) -> [UInt8] {
        FrameHeader(kind: kind, flags: flags, handleCount: handleCount, id: id, bodyCount: bodyCount).bytes
    }
}
