import JSONCodec
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

    @Test("a header has the layout that the specification gives")
    func header() {
        let header = FrameHeader(kind: .bytes, hasMore: true, handleCount: 0x0203, bodyCount: 0x01_0000)
        #expect(header.bytes == [0x00, 0x01, 0x00, 0x04, 0x11, 0x01, 0x02, 0x03])
        #expect(FrameHeader(kind: .message, bodyCount: 0).bytes == [0, 0, 0, 4, 0x10, 0, 0, 0])
    }

    @Test("a message is the example of the specification, byte by byte")
    func message() throws {
        var bytes: [UInt8] = []
        try FrameEncoder.appendMessage("Hello", to: &bytes)
        #expect(bytes == [UInt8](hex: "0000000b 10 00 0000 22 48656c6c6f 22"))
    }

    @Test("what is encoded is decoded to the same, whole and in any portions")
    func roundTrip() throws {
        var bytes = try Hello(messageLimit: 4096, features: ["a", "b"]).frame()
        try FrameEncoder.appendMessage(["key": ["ü", "🐢"]], to: &bytes)
        bytes += FrameEncoder.frame(.bytes, [])
        bytes += FrameEncoder.frame(.bytes, Array(0...255))
        bytes += try Abort(message: "the end").frame()
        let reading = Reading(whole: bytes, limit: 4096)
        #expect(reading.frames.map(\.kind) == [.hello, .message, .bytes, .bytes, .abort])
        #expect(reading.frames[1].bytes == Array(#"{"key":["ü","🐢"]}"#.utf8))
        #expect(reading.frames[2].bytes == [])
        #expect(reading.frames[3].bytes == Array(0...255))
        #expect(reading.error == nil)
        #expect(reading.atEnd == nil)
        #expect(Reading(byteByByte: bytes, limit: 4096) == reading)
        for index in bytes.indices { #expect(Reading(bytes, cutAt: index, limit: 4096) == reading) }
    }

    @Test("a body that can't be written leaves the bytes as they were")
    func failure() throws {
        var bytes: [UInt8] = [1, 2, 3]
        #expect(throws: Refusal.self) { try FrameEncoder.appendMessage(Unwilling(), to: &bytes) }
        #expect(throws: (any Error).self) { try FrameEncoder.appendMessage(Double.nan, to: &bytes) }
        #expect(bytes == [1, 2, 3])
    }

    @Test(
        "a body is cut into fragments of the fragment size, all but the last of them marked",
        arguments: [0, 1, FrameEncoder.fragmentSize, FrameEncoder.fragmentSize + 1, 3 * FrameEncoder.fragmentSize])
    func fragments(_ count: Int) {
        let fragments = FrameEncoder.fragments(.bytes, bodyCount: count)
        #expect(fragments.map(\.range.count).reduce(0, +) == count)
        #expect(fragments.first?.range.lowerBound == 0)
        #expect(zip(fragments, fragments.dropFirst()).allSatisfy { $0.range.upperBound == $1.range.lowerBound })
        #expect(fragments.map(\.header.hasMore) == fragments.indices.map { $0 < fragments.count - 1 })
        for fragment in fragments {
            #expect(fragment.header.bodyCount == fragment.range.count)
            #expect(fragment.range.count <= FrameEncoder.fragmentSize)
            #expect(!fragment.range.isEmpty || count == 0)
        }
    }

    @Test("fragments put together are the body that was cut")
    func fragmentRoundTrip() throws {
        let body = (0..<FrameEncoder.fragmentSize * 2 + 12_345).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var bytes = try Hello(messageLimit: 1024).frame()
        for (header, range) in FrameEncoder.fragments(.bytes, bodyCount: body.count) {
            bytes += header.bytes + body[range]
        }
        let portions = stride(from: 0, to: bytes.count, by: 65_536).map { bytes[$0..<min($0 + 65_536, bytes.count)] }
        let reading = Reading(portions, limit: body.count)
        #expect(reading.frames.count == 2)
        #expect(reading.frames.last?.bytes == body)
        #expect(Reading(portions, limit: body.count - 1).error?.name == "tooLong")
    }
}

@Suite("Hello and abort")
struct HelloTests {
    @Test("a hello says what it was made of")
    func roundTrip() throws {
        let hello = Hello(messageLimit: 123_456, features: ["descriptors"])
        let read = try Array(hello.frame()[8...]).withUnsafeBytes { try Hello(body: $0) }
        #expect(read == hello)
        #expect(read.version == Hello.Version(major: 1, minor: 0))
        #expect(read.limits.message == 123_456)
    }

    @Test("another major version is named before anything else of the hello is read")
    func version() {
        let body = Array(#"{"version":{"major":7,"minor":0},"limits":"none"}"#.utf8)
        #expect(throws: WireError.unsupportedVersion(7)) { try body.withUnsafeBytes { try Hello(body: $0) } }
    }

    @Test("an abort that can't be read is an abort all the same")
    func unreadableAbort() throws {
        for body in ["", "{", "[]", #"{"code":1,"message":"x"}"#, #"{"code":"x"}"#] {
            let abort = Array(body.utf8).withUnsafeBytes { Abort(body: $0) }
            #expect(abort.code == "unreadable")
            #expect(!abort.message.isEmpty)
        }
        let abort = Abort(message: "it was long")
        #expect(try Array(abort.frame()[8...]).withUnsafeBytes { Abort(body: $0) } == abort)
        #expect(abort.code == "protocolViolation")
    }
}
