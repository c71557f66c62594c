import Wire

@testable import Messaging

/// Frames for tests, by hand.
enum Frame {
    static func frame(
        _ kind: FrameKind, _ flags: FrameFlags = [], id: UInt64 = 0, handles: UInt16 = 0, _ body: [UInt8] = []
    ) -> [UInt8] {
        FrameHeader(kind: kind, flags: flags, handleCount: handles, id: id, bodyCount: body.count).bytes + body
    }

    static func message(_ text: String, _ flags: FrameFlags = [], id: UInt64 = 0) -> [UInt8] {
        frame(.message, flags, id: id, Array(text.utf8))
    }

    static func bytes(_ count: Int, _ flags: FrameFlags = [], id: UInt64 = 0, handles: UInt16 = 0) -> [UInt8] {
        frame(.bytes, flags, id: id, handles: handles, [UInt8](repeating: 7, count: count))
    }

    /// A message that opens a conversation.
    static func opening(_ text: String, _ flags: FrameFlags = [], id: UInt64) -> [UInt8] {
        frame(.message, flags.union(.meta), id: id, [0, 2] + Array("{}".utf8) + Array(text.utf8))
    }

    static func failure(_ text: String, id: UInt64) -> [UInt8] {
        frame(.failure, id: id, Array(text.utf8))
    }

    static func cancel(_ id: UInt64) -> [UInt8] { FrameEncoder.control(.cancel, id: id) }
    static func end(_ id: UInt64 = 0) -> [UInt8] { FrameEncoder.control(.end, id: id) }
    static func ping(_ payload: UInt64) -> [UInt8] { FrameEncoder.control(.ping, payload) }

    static func credit(_ id: UInt64 = 0, limit: UInt64, highestID: UInt64 = 0) -> [UInt8] {
        FrameEncoder.control(.credit, id: id, limit, highestID)
    }

    static func hello(message: Int = 1 << 20, window: Int = 262_144, ids: Int = 8) -> [UInt8] {
        (try? Hello(limits: Hello.Limits(message: message, window: window, ids: ids)).frame()) ?? []
    }

    /// What frames the bytes are, one word each: kind, id where it is not 0, flags, length of the body where it has one
    /// that differs. A frame that is not whole has dots behind it.
    static func list(_ bytes: [UInt8], afterHello: Bool = false) -> [String] {
        var reader = FrameReader()
        var texts: [String] = []
        let all = (afterHello ? hello() : []) + bytes
        all.withUnsafeBytes { buffer in
            var input = buffer
            do {
                while let header = try reader.nextHeader(from: &input) {
                    _ = reader.body(from: &input)
                    texts.append(text(header) + (reader.missing > 0 ? "..." : ""))
                }
                if reader.openPosition != nil, reader.missing == 0 { texts.append("...") }
            } catch {
                texts.append("\(error)")
            }
        }
        if afterHello { texts.removeFirst() }
        return texts
    }

    private static func text(_ header: FrameHeader) -> String {
        var text = "\(header.kind)"
        if header.id != 0 { text += " \(header.id)" }
        if header.flags.contains(.more) { text += " more" }
        if header.flags.contains(.open) { text += " open" }
        if header.flags.contains(.meta) { text += " meta" }
        switch header.kind {
        case .message, .bytes, .failure: text += " (\(header.bodyCount))"
        default: break
        }
        return text
    }
}

extension OutboundMessage {
    /// A message of so many bytes.
    static func bytes(_ count: Int, _ flags: FrameFlags = [], _ handles: OutboundHandles? = nil) -> OutboundMessage {
        let body = [UInt8](repeating: 7, count: count)
        return OutboundMessage(
            kind: .bytes, bytes: [UInt8](repeating: 0, count: FrameHeader.size) + body, flags: flags, handles: handles)
    }

    /// One that opens a conversation: a description that says nothing, and so many bytes.
    static func opening(
        _ count: Int = 0, _ flags: FrameFlags = [], _ handles: OutboundHandles? = nil
    ) -> OutboundMessage {
        let body = [0, 2] + Array("{}".utf8) + [UInt8](repeating: 7, count: count)
        return OutboundMessage(
            kind: .bytes, bytes: [UInt8](repeating: 0, count: FrameHeader.size) + body, flags: flags.union(.meta),
            handles: handles)
    }

    static func failure(_ text: String) -> OutboundMessage {
        var message = bytes(0)
        message.kind = .failure
        message.bytes += text.utf8
        return message
    }
}
