import Testing

@testable import Wire

@Suite("Frame decoder")
struct FrameDecoderTests {
    private static func decoder(limit: Int = 1024) throws -> FedDecoder {
        let decoder = FedDecoder(limit: limit)
        _ = try decoder.frame(of: Hello(messageLimit: 1024).frame())
        return decoder
    }

    @Test("a frame that lies whole in the input is passed on where it lies")
    func borrowed() throws {
        var decoder = FrameDecoder(messageLimit: 1024)
        let bytes = try Hello(messageLimit: 1024).frame() + FrameEncoder.frame(.bytes, [1, 2, 3])
        try bytes.withUnsafeBytes { buffer in
            var input = buffer
            _ = try decoder.next(from: &input)
            let next = try decoder.next(from: &input)
            let frame = try #require(next)
            guard case .borrowed(let body) = frame.body else {
                Issue.record("The body was gathered")
                return
            }
            #expect(body.baseAddress == buffer.baseAddress.map { $0 + bytes.count - 3 })
            #expect(frame.bytes() == [1, 2, 3])
        }
    }

    @Test("a body whose header came before it is passed on where it lies, too")
    func borrowedAfterHeader() throws {
        let decoder = try Self.decoder()
        let bytes = FrameEncoder.frame(.bytes, [1, 2, 3])
        #expect(try decoder.frame(of: Array(bytes[..<8])) == nil)
        #expect(try decoder.isBorrowed(in: Array(bytes[8...])) == true)
    }

    @Test("a frame that comes in two portions, or in fragments, is gathered")
    func gathered() throws {
        let decoder = try Self.decoder()
        let bytes = FrameEncoder.frame(.bytes, [1, 2, 3])
        #expect(try decoder.frame(of: Array(bytes[..<9])) == nil)
        #expect(try decoder.isBorrowed(in: Array(bytes[9...])) == false)
        let fragment = FrameHeader(kind: .bytes, hasMore: true, bodyCount: 1).bytes + [1]
        #expect(try decoder.isBorrowed(in: fragment + bytes) == false)
        // And the next one is not, which shows that nothing is left of the last.
        #expect(try decoder.isBorrowed(in: bytes) == true)
    }

    @Test("a control frame between fragments that have been gathered is passed on where it lies")
    func borrowedControl() throws {
        let decoder = try Self.decoder()
        #expect(try decoder.frame(of: FrameHeader(kind: .bytes, hasMore: true, bodyCount: 1).bytes + [1]) == nil)
        #expect(try decoder.isBorrowed(in: Abort(message: "why").frame()) == true)
    }

    @Test("bytes after a complete frame stay in the input")
    func rest() throws {
        var decoder = try Self.decoder().decoder
        let bytes = FrameEncoder.frame(.bytes, [1]) + FrameEncoder.frame(.bytes, [2])
        try bytes.withUnsafeBytes { buffer in
            var input = buffer
            _ = try decoder.next(from: &input)
            #expect(input.count == 9)
            let second = try decoder.next(from: &input)?.bytes()
            #expect(second == [2])
            #expect(input.isEmpty)
            let third = try decoder.next(from: &input)
            #expect(third == nil)
        }
    }

    @Test("a length over every limit is refused by its first four bytes")
    func refusedEarly() throws {
        let decoder = try Self.decoder()
        // 65,536 and the counted part of the header is the most that a control frame may have.
        #expect(try decoder.frame(of: [0, 1, 0]) == nil)
        #expect(throws: WireError.tooLong(length: 65_537, limit: 1024)) { try decoder.frame(of: [5]) }
        let other = try Self.decoder()
        #expect(try other.frame(of: [0, 1, 0, 4]) == nil)
    }

    @Test("a message over the limit is refused by its header, before any of its body has come")
    func refusedByHeader() throws {
        let decoder = try Self.decoder()
        #expect(throws: WireError.tooLong(length: 1025, limit: 1024)) {
            try decoder.frame(of: FrameHeader(kind: .message, bodyCount: 1025).bytes)
        }
    }

    @Test("a length within the largest limit reserves almost nothing until its bytes come")
    func memory() throws {
        let decoder = try Self.decoder(limit: Int(UInt32.max))
        let before = try AddressSpace.size()
        #expect(try decoder.frame(of: FrameHeader(kind: .bytes, bodyCount: Int(UInt32.max) - 4).bytes + [1]) == nil)
        let after = try AddressSpace.size()
        // Other tests run meanwhile, so this can only tell four gigabytes from few.
        #expect(after - before < 1 << 31)
        withExtendedLifetime(decoder) {}
    }

    @Test("fragments that announce little by little are refused when their sum passes the limit")
    func fragmentSum() throws {
        let decoder = try Self.decoder()
        let fragment =
            FrameHeader(kind: .bytes, hasMore: true, bodyCount: 512).bytes + [UInt8](repeating: 7, count: 512)
        #expect(try decoder.frame(of: fragment) == nil)
        #expect(try decoder.frame(of: fragment) == nil)
        #expect(try decoder.frame(of: FrameHeader(kind: .bytes, hasMore: true, bodyCount: 0).bytes) == nil)
        #expect(throws: WireError.tooLong(length: 1025, limit: 1024)) {
            try decoder.frame(of: FrameHeader(kind: .bytes, bodyCount: 1).bytes)
        }
    }

    @Test("a limit that is raised after the hello counts from then on")
    func raisedLimit() throws {
        let decoder = try Self.decoder()
        decoder.decoder.messageLimit = 2048
        let bytes = FrameEncoder.frame(.bytes, [UInt8](repeating: 1, count: 2048))
        #expect(try decoder.frame(of: bytes)?.count == 2048)
    }

    @Test("the first bytes of a stream are known, in whatever portions they came, where they begin no hello")
    func foreignOpening() throws {
        func opening(_ portions: [UInt8]...) -> [UInt8]? {
            let decoder = FedDecoder(limit: 1024)
            do {
                for portion in portions { _ = try decoder.frame(of: portion) }
                try decoder.decoder.endOfStream()
            } catch {}
            return decoder.decoder.foreignOpening
        }
        #expect(opening(Array("hello".utf8)) == Array("hello".utf8))
        #expect(opening(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == Array("GET / HTTP/1.1\r\n".utf8))
        #expect(opening([0x68], [], [0x69]) == [0x68, 0x69])
        #expect(opening(FrameHeader(kind: .message, bodyCount: 1).bytes + [0x31]) == [0, 0, 0, 5, 0x10, 0, 0, 0, 0x31])
        // What may be a hello, or is one, has errors of its own.
        let hello = try Hello(messageLimit: 1024).frame()
        for count in 0...hello.count { #expect(opening(Array(hello[..<count])) == nil) }
        #expect(opening(hello, [0xff, 0xff, 0xff, 0xff]) == nil)
        #expect(opening(hello + Array("hello".utf8)) == nil)
    }

    @Test("the length of a hello's body is told from its header, and of nothing else")
    func helloBodyCount() {
        func count(_ header: FrameHeader) -> Int? { header.bytes.withUnsafeBytes { FrameDecoder.helloBodyCount($0) } }
        #expect(count(FrameHeader(kind: .hello, bodyCount: 0)) == 0)
        #expect(count(FrameHeader(kind: .hello, bodyCount: 65_536)) == 65_536)
        #expect(count(FrameHeader(kind: .hello, bodyCount: 65_537)) == nil)
        #expect(count(FrameHeader(kind: .message, bodyCount: 1)) == nil)
        #expect([0, 0, 0, 3, 1, 0, 0, 0].withUnsafeBytes { FrameDecoder.helloBodyCount($0) } == nil)
        #expect([UInt8]([0, 0, 0]).withUnsafeBytes { FrameDecoder.helloBodyCount($0) } == nil)
    }

    // MARK: Positions

    @Test(
        "a message knows where its first header begins, however the stream is cut",
        arguments: [1, 2, 3, 7, 100, 10_000])
    func positions(_ portion: Int) throws {
        let hello = try Hello(messageLimit: 1024).frame()
        let plain = FrameEncoder.frame(.bytes, [1, 2, 3])
        let first = FrameHeader(kind: .bytes, hasMore: true, handleCount: 2, bodyCount: 2).bytes + [4, 5]
        let stream = hello + plain + first + FrameEncoder.frame(.abort, []) + FrameEncoder.frame(.bytes, [6]) + plain
        let decoder = FedDecoder(limit: 1024)
        var positions: [UInt64] = []
        for start in stride(from: 0, to: stream.count, by: portion) {
            positions += try decoder.positions(of: Array(stream[start..<min(start + portion, stream.count)]))
            #expect(decoder.decoder.position == UInt64(min(start + portion, stream.count)))
        }
        let fragments = UInt64(hello.count + plain.count)
        let abort = fragments + UInt64(first.count)
        #expect(positions == [0, UInt64(hello.count), abort, fragments, abort + 17])
    }

    @Test("the place of a message that is not complete is told while it may still get handles")
    func openPositions() throws {
        let decoder = try Self.decoder()
        let start = decoder.decoder.position
        #expect(decoder.decoder.openPosition == nil)
        let handles = FrameHeader(kind: .bytes, hasMore: true, handleCount: 2, bodyCount: 2).bytes
        _ = try decoder.frame(of: [handles[0]])
        #expect(decoder.decoder.openPosition == start)
        _ = try decoder.frame(of: Array(handles[1...]))
        #expect(decoder.decoder.openPosition == start)
        _ = try decoder.frame(of: [1, 2])
        #expect(decoder.decoder.openPosition == start)
        // Part of the next header: only the message's first one counts.
        let plain = FrameHeader(kind: .bytes, hasMore: true, bodyCount: 2).bytes
        _ = try decoder.frame(of: Array(plain[..<3]))
        #expect(decoder.decoder.openPosition == start)
        _ = try decoder.frame(of: Array(plain[3...]) + [3, 4] + FrameEncoder.frame(.bytes, []))
        #expect(decoder.decoder.openPosition == nil)
        // A message without handles is closed to them as soon as its header is known.
        _ = try decoder.frame(of: Array(plain))
        #expect(decoder.decoder.openPosition == nil)
    }
}

extension FrameEncoder {
    static func frame(_ kind: FrameKind, _ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        append(kind, to: &bytes) { $0 += body }
        return bytes
    }
}

/// A decoder and what it makes of arrays.
private final class FedDecoder {
    var decoder: FrameDecoder

    init(limit: Int) {
        decoder = FrameDecoder(messageLimit: limit)
    }

    /// The body of the first frame that the bytes complete.
    func frame(of bytes: [UInt8]) throws -> [UInt8]? {
        try bytes.withUnsafeBytes { buffer in
            var input = buffer
            return try decoder.next(from: &input)?.bytes()
        }
    }

    /// Where the messages begin that the bytes complete.
    func positions(of bytes: [UInt8]) throws -> [UInt64] {
        try bytes.withUnsafeBytes { buffer in
            var input = buffer
            var positions: [UInt64] = []
            while let frame = try decoder.next(from: &input) { positions.append(frame.position) }
            return positions
        }
    }

    func isBorrowed(in bytes: [UInt8]) throws -> Bool? {
        try bytes.withUnsafeBytes { buffer in
            var input = buffer
            return try decoder.next(from: &input).map { frame in
                if case .borrowed = frame.body { true } else { false }
            }
        }
    }
}

@Suite("Memory of gathered messages")
struct SpareMemoryTests {
    private func decoder() throws -> StreamDecoder {
        var decoder = StreamDecoder(dialect: .native, messageLimit: 8 << 20)
        try feed(Hello(messageLimit: 1024).frame(), &decoder) { _ in }
        return decoder
    }

    /// Reads bytes in two portions, so that a frame in them is gathered.
    private func feed(
        _ bytes: [UInt8], _ decoder: inout StreamDecoder, _ body: (consuming InboundFrame) -> Void
    ) throws {
        for portion in [bytes[..<9], bytes[9...]] {
            try Array(portion).withUnsafeBytes { buffer in
                var input = buffer
                while let frame = try decoder.next(from: &input) { body(frame) }
            }
        }
    }

    @Test("memory that was given back is used for the next message, and a larger one for the one after it")
    func used() throws {
        var decoder = try decoder()
        var contents: [[UInt8]] = []
        var addresses: [UnsafeRawPointer?] = []
        for (index, count) in [100_000, 90_000, 200_000, 150_000].enumerated() {
            var memory: [UInt8]?
            try feed(FrameEncoder.frame(.message, [UInt8](repeating: UInt8(index), count: count)), &decoder) { frame in
                contents.append(frame.withBytes { Array($0) })
                memory = frame.spentMemory()
            }
            memory?.withUnsafeBytes { addresses.append($0.baseAddress) }
            decoder.recycle(memory.take() ?? [])
        }
        #expect(contents.map(\.count) == [100_000, 90_000, 200_000, 150_000])
        #expect(contents.enumerated().allSatisfy { index, bytes in bytes.allSatisfy { $0 == UInt8(index) } })
        #expect(addresses[1] == addresses[0])
        #expect(addresses[3] == addresses[2])
        #expect(decoder.spare.isEmpty)
        #expect(decoder.spare.capacity >= 200_000)
    }

    @Test("bytes are gathered in memory of their own, and too much of it is not kept")
    func notUsed() throws {
        var decoder = try decoder()
        decoder.spare.reserveCapacity(100_000)
        let address = decoder.spare.withUnsafeBytes { $0.baseAddress }
        try feed(FrameEncoder.frame(.bytes, [UInt8](repeating: 1, count: 50_000)), &decoder) { frame in
            #expect(frame.bytes().withUnsafeBytes { $0.baseAddress } != address)
        }
        #expect(decoder.spare.withUnsafeBytes { $0.baseAddress } == address)
        decoder.recycle([UInt8](repeating: 1, count: (4 << 20) + 1))
        #expect(decoder.spare.capacity < 1 << 20)
    }
}
