import TestSupport
import Testing

@testable import Wire

@Suite("Frame reader")
struct FrameReaderTests {
    /// What a header is refused with that comes after a hello.
    private func error(_ header: [UInt8]) -> WireError? { Reading(whole: Example.hello + header).error }

    // MARK: Portions

    @Test("a header is the same wherever it is cut, once or twice")
    func cutHeaders() throws {
        let frame = Example.frame(
            .bytes, [1, 2, 3], flags: [.more, .meta], handleCount: 0x0203, id: 0x0102_0304_0506_0708)
        let bytes = Example.hello + frame
        let reading = Reading(whole: bytes)
        let wanted = FrameHeader(
            kind: .bytes, flags: [.more, .meta], handleCount: 0x0203, id: 0x0102_0304_0506_0708, bodyCount: 3)
        // More handles than there may be are refused, and nothing else of it is.
        #expect(reading.error == .handlesDoNotMatch(announced: 0x0203, received: 0))
        let allowed =
            Example.hello + Example.frame(.bytes, [1, 2, 3], flags: [.more, .meta], handleCount: 253, id: wanted.id)
        let start = Example.hello.count
        for first in start...allowed.count {
            for second in first...allowed.count {
                let reading = Reading([allowed[..<first], allowed[first..<second], allowed[second...]])
                try #require(reading.frames.count == 2 && reading.error == nil)
                var header = wanted
                header.handleCount = 253
                #expect(reading.frames[1] == Reading.Frame(header: header, position: UInt64(start), body: [1, 2, 3]))
            }
        }
    }

    @Test("a body is passed on where it lies in the input, also of a frame whose header came before")
    func borrowed() throws {
        var reader = FrameReader()
        let bytes = Example.hello + Example.frame(.bytes, [1, 2, 3])
        try bytes.withUnsafeBytes { buffer in
            var input = UnsafeRawBufferPointer(rebasing: buffer[..<(bytes.count - 2)])
            let hello = try reader.nextHeader(from: &input)
            #expect(hello?.kind == .hello)
            #expect(reader.body(from: &input).count == hello?.bodyCount)
            #expect(try reader.nextHeader(from: &input)?.bodyCount == 3)
            #expect(reader.missing == 3)
            let first = reader.body(from: &input)
            #expect(first.baseAddress == buffer.baseAddress.map { $0 + bytes.count - 3 })
            #expect(first.count == 1 && reader.missing == 2 && input.isEmpty)
            input = UnsafeRawBufferPointer(rebasing: buffer[(bytes.count - 2)...])
            #expect(reader.body(from: &input).baseAddress == buffer.baseAddress.map { $0 + bytes.count - 2 })
            #expect(reader.missing == 0 && input.isEmpty)
            #expect(try reader.nextHeader(from: &input) == nil)
        }
    }

    @Test("bytes after a frame stay in the input")
    func rest() throws {
        var reader = FrameReader()
        let frame = Example.frame(.bytes, [1])
        try (Example.hello + frame + frame).withUnsafeBytes { buffer in
            var input = buffer
            _ = try reader.nextHeader(from: &input)
            _ = reader.body(from: &input)
            #expect(input.count == 2 * frame.count)
            _ = try reader.nextHeader(from: &input)
            #expect(reader.body(from: &input).count == 1)
            #expect(input.count == frame.count)
        }
    }

    // MARK: What a header says by itself

    @Test("a length that can't be is refused with its fourth byte, and not before")
    func lengths() throws {
        func read(_ bytes: [UInt8]) -> WireError? { Reading(byteByByte: Example.hello + bytes).error }
        for (length, error) in [
            (0, .lengthTooSmall(0)), (11, .lengthTooSmall(11)), (12, nil), (262_156, nil),
            (262_157, .frameTooLong(262_157)), (UInt32.max, .frameTooLong(.max)),
        ] as [(UInt32, WireError?)] {
            let bytes = withUnsafeBytes(of: length.bigEndian) { Array($0) }
            #expect(read(bytes) == error)
            #expect(read(Array(bytes[..<3])) == nil)
            // With nothing before it, too.
            #expect(Reading(byteByByte: bytes).error == error)
        }
    }

    @Test("a kind or a flag that is not known is refused, and all others are taken")
    func unknown() {
        for number in UInt8.min...UInt8.max {
            var header = Example.header(.bytes, 0)
            header[4] = number
            let isKnown = [1, 2, 3, 4, 5, 6, 7, 16, 17, 18].contains(number)
            #expect((error(header) == .unknownKind(number)) == !isKnown)
            header = Example.header(.bytes, 0)
            header[5] = number
            #expect((error(header) == .unknownFlags(number)) == (number > 7))
        }
    }

    @Test("the first frame is a hello, and no other")
    func hello() {
        for kind in FrameKind.allCases where kind != .hello {
            #expect(Reading(whole: Example.header(kind, 0)).error == .noHello(kind))
        }
        #expect(error(Example.header(.hello, 5)) == .repeatedHello)
        #expect(Reading(whole: Example.hello).error == nil)
    }

    @Test("each kind has the flags, ids and lengths that it may have, and no others")
    func allowed() {
        for kind in FrameKind.allCases where kind != .hello {
            for id in [0, 1] as [UInt64] {
                for flags in UInt8(0)...7 {
                    for count in [0, 1, 8, 16] {
                        let header = Example.header(kind, count, flags: FrameFlags(rawValue: flags), id: id)
                        #expect(error(header)?.name == expectedError(kind, flags, id, count), "\(kind) \(flags) \(id)")
                    }
                }
            }
        }
    }

    /// The table of section 2, read in the order of section 13.
    private func expectedError(_ kind: FrameKind, _ flags: UInt8, _ id: UInt64, _ count: Int) -> String? {
        let (hasMore, isOpen) = (flags & 1 != 0, flags & 2 != 0)
        if kind.rawValue < 0x10, flags != 0 { return "flagsNotAllowed" }
        if isOpen, id == 0 || hasMore || kind == .failure { return "flagsNotAllowed" }
        switch kind {
        case .hello: return nil
        case .abort: return id == 0 ? nil : "idNotAllowed"
        case .ping, .pong: return id != 0 ? "idNotAllowed" : count == 8 ? nil : "wrongLength"
        case .credit: return count == 16 ? nil : "wrongLength"
        case .cancel: return id == 0 ? "idNotAllowed" : count == 0 ? nil : "wrongLength"
        case .end: return count == 0 ? nil : "wrongLength"
        case .message, .bytes: return hasMore && count == 0 ? "emptyFragment" : nil
        case .failure: return id == 0 ? "idNotAllowed" : hasMore && count == 0 ? "emptyFragment" : nil
        }
    }

    @Test("handles are announced by messages alone, and at most 253")
    func handleCounts() {
        func error(_ kind: FrameKind, _ bodyCount: Int, _ count: UInt16, id: UInt64 = 0) -> WireError? {
            self.error(Example.header(kind, bodyCount, handleCount: count, id: id))
        }
        for kind in [.message, .bytes] as [FrameKind] {
            #expect(error(kind, 1, 253) == nil)
            #expect(error(kind, 1, 254) == .handlesDoNotMatch(announced: 254, received: 0))
            #expect(error(kind, 1, .max) == .handlesDoNotMatch(announced: 65_535, received: 0))
        }
        for (kind, count) in [(.abort, 0), (.ping, 8), (.pong, 8), (.credit, 16), (.end, 0)] as [(FrameKind, Int)] {
            #expect(error(kind, count, 1) == .handlesDoNotMatch(announced: 1, received: 0))
        }
        #expect(error(.cancel, 0, 1, id: 1) == .handlesDoNotMatch(announced: 1, received: 0))
        #expect(error(.failure, 0, 1, id: 1) == .handlesDoNotMatch(announced: 1, received: 0))
    }

    @Test("of several mistakes in one header the first counts, in the order of the specification")
    func order() {
        // One mistake after another is put right.
        var header = FrameHeader(
            kind: .ping, flags: [.more, FrameFlags(rawValue: 0x80)], handleCount: 1, id: 1, bodyCount: 300_000
        ).bytes
        header[4] = 0x99
        #expect(Reading(whole: header).error == .frameTooLong(300_012))
        header.replaceSubrange(0..<4, with: [0, 0, 0, 13])
        #expect(Reading(whole: header).error == .unknownKind(0x99))
        header[4] = FrameKind.ping.rawValue
        #expect(Reading(whole: header).error == .unknownFlags(0x81))
        header[5] = 1
        #expect(Reading(whole: header).error == .noHello(.ping))
        #expect(error(header) == .flagsNotAllowed(.ping, 1))
        #expect(error(Example.header(.hello, 1, flags: .more, handleCount: 1, id: 1)) == .repeatedHello)
        header[5] = 0
        #expect(error(header) == .idNotAllowed(.ping, 1))
        header[15] = 0
        #expect(error(header) == .wrongLength(.ping, 1))
        header[3] = 20
        #expect(error(header) == .handlesDoNotMatch(announced: 1, received: 0))
        header[7] = 0
        #expect(error(header) == nil)
        // A fragment of no bytes.
        var fragment = Example.header(.failure, 0, flags: .more, handleCount: 1)
        #expect(error(fragment) == .idNotAllowed(.failure, 0))
        fragment[15] = 1
        #expect(error(fragment) == .emptyFragment(.failure))
    }

    // MARK: Positions

    @Test("a frame knows where its header begins, however the stream is cut", arguments: [1, 2, 3, 7, 100, 10_000])
    func positions(_ portion: Int) throws {
        let plain = Example.frame(.bytes, [1, 2, 3])
        let stream = Example.hello + plain + Example.frame(.end) + Example.frame(.ping, [UInt8](repeating: 1, count: 8))
        let portions = stride(from: 0, to: stream.count, by: portion).map {
            stream[$0..<min($0 + portion, stream.count)]
        }
        let start = UInt64(Example.hello.count)
        #expect(Reading(portions).frames.map(\.position) == [0, start, start + 19, start + 35])
    }

    @Test("it is known how far the stream has been read, and where a frame or its header has begun")
    func openPositions() throws {
        var reader = FrameReader()
        func read(_ bytes: [UInt8]) throws {
            try bytes.withUnsafeBytes { buffer in
                var input = buffer
                if reader.missing == 0 { _ = try reader.nextHeader(from: &input) }
                _ = reader.body(from: &input)
            }
        }
        #expect(reader.openPosition == nil && reader.openHeaderPosition == nil && reader.position == 0)
        try read([Example.hello[0]])
        #expect(reader.openPosition == 0 && reader.openHeaderPosition == 0 && reader.position == 1)
        try read(Array(Example.hello[1..<16]))
        #expect(reader.openPosition == 0 && reader.openHeaderPosition == nil && reader.position == 16)
        try read(Array(Example.hello[16...]))
        let start = UInt64(Example.hello.count)
        #expect(reader.openPosition == nil && reader.openHeaderPosition == nil && reader.position == start)
        let frame = Example.frame(.bytes, [1, 2])
        try read(Array(frame[..<15]))
        #expect(reader.openPosition == start && reader.openHeaderPosition == start)
        try read(Array(frame[15..<17]))
        #expect(reader.openPosition == start && reader.openHeaderPosition == nil && reader.missing == 1)
        try read([2])
        #expect(reader.openPosition == nil && reader.position == start + 18)
        // Read to where it belongs, past the reader.
        try read(Example.header(.bytes, 5))
        reader.bodyWasRead(3)
        #expect(reader.openPosition == start + 18 && reader.missing == 2 && reader.position == start + 37)
        reader.bodyWasRead(2)
        #expect(reader.openPosition == nil && reader.position == start + 39)
    }

    // MARK: The opening

    @Test("the first bytes of a stream are known, in whatever portions they came, where they begin no hello")
    func foreignOpening() throws {
        func opening(_ portions: [UInt8]...) -> [UInt8]? { Reading(portions.map { $0[...] }).foreignOpening }
        #expect(opening(Array("hello".utf8)) == Array("hello".utf8))
        #expect(opening(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == Array("GET / HTTP/1.1\r\n".utf8))
        #expect(opening([0x68], [], [0x69]) == [0x68, 0x69])
        let message = Example.frame(.message, [0x31])
        #expect(opening(message) == Array(message[..<16]))
        #expect(opening(Array(message[..<3]), Array(message[3...])) == Array(message[..<16]))
        // What may be a hello, or is one, has errors of its own.
        for count in 0...Example.hello.count { #expect(opening(Array(Example.hello[..<count])) == nil) }
        #expect(opening(Example.hello, [0xff, 0xff, 0xff, 0xff]) == nil)
        #expect(opening(Example.hello + Array("hello".utf8)) == nil)
        #expect(opening(Example.header(.hello, 0, flags: .more)) == nil)
    }
}
