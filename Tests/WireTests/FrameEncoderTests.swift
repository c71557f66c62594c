import JSONCodec
import TestSupport
import Testing

@testable import Wire

@Suite("Frame encoder")
struct FrameEncoderTests {
    private struct Refusal: Error {}

    private struct Unwilling: Encodable {
        func encode(to encoder: any Encoder) throws {
            var container = encoder.unkeyedContainer()
            try container.encode(1)
            throw Refusal()
        }
    }

    private func message(_ value: some Encodable, description: MessageDescription? = nil) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try FrameEncoder.appendMessage(value, description: description, to: &bytes)
        return bytes
    }

    @Test("a header has the layout that the specification gives")
    func header() {
        let header = FrameHeader(
            kind: .bytes, flags: [.more, .meta], handleCount: 0x0203, id: 0x0405_0607_0809_0a0b, bodyCount: 0x01_0000)
        #expect(header.bytes == [UInt8](hex: "0001000c 11 05 0203 0405060708090a0b"))
        #expect(
            FrameHeader(kind: .message, flags: .open, bodyCount: 0).bytes
                == [UInt8](hex: "0000000c 10 02 0000 0000000000000000"))
        var bytes = [UInt8](repeating: 7, count: 18)
        FrameHeader(kind: .end, bodyCount: 0).write(to: &bytes, at: 1)
        #expect(bytes == [UInt8](hex: "07 0000000c 07 00 0000 0000000000000000 07"))
    }

    @Test("messages are the examples of the specification, byte by byte")
    func examples() throws {
        var bytes = try message("Hello")
        FrameHeader(kind: .message, bodyCount: bytes.count - 16).write(to: &bytes, at: 0)
        #expect(bytes == [UInt8](hex: "00000013 10 00 0000 0000000000000000 22 48656c6c6f 22"))
        bytes = try message("a.png.gif", description: MessageDescription(name: "resize"))
        FrameHeader(kind: .message, flags: .meta, id: 1, bodyCount: bytes.count - 16).write(to: &bytes, at: 0)
        let wanted = """
            0000002a 10 04 0000 0000000000000001 0011 7b226e616d65223a22726573697a65227d 22612e706e672e67696622
            """
        #expect(bytes == [UInt8](hex: wanted))
    }

    @Test("room for a header is left in front of a body, and what cannot be written leaves nothing behind")
    func bodies() throws {
        var bytes: [UInt8] = [1, 2, 3]
        #expect(throws: Refusal.self) { try FrameEncoder.appendMessage(Unwilling(), to: &bytes) }
        #expect(throws: (any Error).self) { try FrameEncoder.appendMessage(Double.nan, to: &bytes) }
        #expect(throws: (any Error).self) {
            let long = MessageDescription(name: String(repeating: "x", count: 65_536))
            try FrameEncoder.appendMessage(1, description: long, to: &bytes)
        }
        #expect(bytes == [1, 2, 3])
        FrameEncoder.appendBody([8, 9], to: &bytes)
        #expect(bytes == [1, 2, 3] + [UInt8](repeating: 0, count: 16) + [8, 9])
        #expect(try message([1]) == [UInt8](repeating: 0, count: 16) + Array("[1]".utf8))
    }

    @Test("a control frame has its numbers as body")
    func control() {
        #expect(FrameEncoder.control(.end) == [UInt8](hex: "0000000c 07 00 0000 0000000000000000"))
        #expect(FrameEncoder.control(.cancel, id: 258) == [UInt8](hex: "0000000c 06 00 0000 0000000000000102"))
        #expect(
            FrameEncoder.control(.ping, id: 0, 7)
                == [UInt8](hex: "00000014 03 00 0000 0000000000000000 0000000000000007"))
        let credit = "0000001c 05 00 0000 0000000000000003 0000000000010000 00000000000000ff"
        #expect(FrameEncoder.control(.credit, id: 3, 65_536, 255) == [UInt8](hex: credit))
    }

    @Test("the message that only opens a conversation is one that a reader takes")
    func emptyOpening() throws {
        let frame = try #require(Reading(whole: Example.hello + FrameEncoder.emptyOpening(5)).frames.last)
        #expect(frame.header == FrameHeader(kind: .bytes, flags: .meta, id: 5, bodyCount: 4))
        try frame.body.withUnsafeBytes { buffer in
            var body = buffer
            let description = try MessageDescription(from: &body)
            #expect(description == MessageDescription())
            #expect(body.isEmpty)
        }
    }

    @Test("what is encoded is read as the same, whole and in any portions")
    func roundTrip() throws {
        var message = try message(["key": ["ü", "🐢"]])
        FrameHeader(kind: .message, bodyCount: message.count - 16).write(to: &message, at: 0)
        var bytes = Example.hello + message
        bytes += Example.frame(.bytes) + Example.frame(.bytes, Array(0...255), flags: .open, id: .max)
        bytes += FrameEncoder.control(.credit, 1, 2)
        bytes += try Abort(message: "the end").frame()
        let reading = Reading(whole: bytes)
        #expect(reading.frames.map(\.header.kind) == [.hello, .message, .bytes, .bytes, .credit, .abort])
        #expect(reading.frames[1].body == Array(#"{"key":["ü","🐢"]}"#.utf8))
        #expect(reading.frames[2].body == [])
        #expect(reading.frames[3].body == Array(0...255))
        #expect(reading.frames[3].header.id == .max)
        #expect(reading.error == nil && reading.openPosition == nil)
        #expect(Reading(byteByByte: bytes) == reading)
        for index in bytes.indices {
            #expect(Reading(bytes, cutAt: index) == reading)
            // And a stream that ends there has ended in a frame, if not between two.
            let isBorder = index == 0 || reading.frames.contains { $0.position == UInt64(index) }
            #expect((Reading(whole: Array(bytes[..<index])).openPosition == nil) == isBorder)
        }
    }

    // MARK: What has been written of frames

    @Test("the border after a frame that has been begun is found at every place, and so are the messages behind it")
    func borders() {
        let frames = [
            Example.frame(.bytes, [1, 2]), FrameEncoder.control(.ping, id: 0, 1),
            Example.frame(.message, [3], flags: .more),
            Example.frame(.message), FrameEncoder.control(.end, id: 1), Example.frame(.failure, [4], id: 1),
        ]
        let bytes = Array(frames.joined())
        var borders = [0]
        for frame in frames { borders.append(borders[borders.count - 1] + frame.count) }
        for offset in 0...bytes.count {
            let border = borders.first { $0 >= offset }
            #expect(FrameEncoder.frameBorder(in: bytes, from: offset) == border)
            // The frames that end a message are the first, the fourth and the last.
            let count = [1, 4, 6].count { borders[$0] > offset }
            #expect(FrameEncoder.messageCount(in: bytes, offset..<bytes.count) == count)
        }
        #expect(FrameEncoder.id(in: Example.header(.bytes, 0, id: 0x0102_0304_0506_0708)) == 0x0102_0304_0506_0708)
    }
}
