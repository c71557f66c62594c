import Testing

@testable import Wire

@Suite("Line decoder")
struct LineDecoderTests {
    /// The lines of a stream that comes in portions of one size, where each begins, and the error that ended it.
    private func read(
        _ text: [UInt8], portion: Int, limit: Int = 100
    ) -> (lines: [String], positions: [UInt64], error: WireError?) {
        var decoder = LineDecoder(messageLimit: limit)
        var lines: [String] = []
        var positions: [UInt64] = []
        var spare: [UInt8] = []
        do throws(WireError) {
            for start in stride(from: 0, to: text.count, by: portion) {
                let end = min(start + portion, text.count)
                try Array(text[start..<end]).withUnsafeBufferPointer { (bytes) throws(WireError) in
                    var input = UnsafeRawBufferPointer(bytes)
                    while let line = try decoder.next(from: &input, spare: &spare) {
                        positions.append(line.position)
                        lines.append(String(decoding: line.body.bytes(), as: UTF8.self))
                    }
                    #expect(input.isEmpty)
                }
                #expect(decoder.position == UInt64(end))
            }
            try decoder.endOfStream()
        } catch {
            return (lines, positions, error)
        }
        return (lines, positions, nil)
    }

    @Test("lines come out whole, however the stream is cut", arguments: 1...40)
    func portions(_ portion: Int) {
        let text = "one\n\n\"a line of more than eight bytes\"\nx\n1234567\n12345678\n"
        let result = read(Array(text.utf8), portion: portion)
        #expect(result.lines == ["one", "", "\"a line of more than eight bytes\"", "x", "1234567", "12345678"])
        #expect(result.positions == [0, 4, 5, 39, 41, 49])
        #expect(result.error == nil)
    }

    @Test("every place of a newline is found, among all other bytes")
    func newlines() {
        for place in 0..<24 {
            var bytes = (0..<24).map { UInt8($0 * 11 % 256) }.map { $0 == 10 ? 11 : $0 }
            bytes[place] = 10
            // Bytes next to it that a trick with eight bytes at once could take for it.
            if place > 0 { bytes[place - 1] = 11 }
            if place < 23 { bytes[place + 1] = 9 }
            var decoder = LineDecoder(messageLimit: 100)
            var spare: [UInt8] = []
            let count = bytes.withUnsafeBytes { buffer -> Int? in
                var input = buffer
                return try? decoder.next(from: &input, spare: &spare)?.body.count
            }
            #expect(count == place)
        }
    }

    @Test(
        "a line over the limit is refused as soon as that is known, and one of the limit is taken",
        arguments: [1, 7, 200])
    func limit(_ portion: Int) {
        let most = [UInt8](repeating: 0x61, count: 100)
        #expect(read(most + [10], portion: portion).lines.count == 1)
        guard case .messageTooLong(_, 100) = read(most + [0x61], portion: portion).error else {
            Issue.record("It was taken.")
            return
        }
    }

    @Test("a stream that ends in a line is truncated, and its place is told before that")
    func truncated() {
        #expect(read(Array("one\ntw".utf8), portion: 3).error == .truncated)
        var decoder = LineDecoder(messageLimit: 100)
        var spare: [UInt8] = []
        [UInt8]("1\n23".utf8).withUnsafeBytes { bytes in
            var input = bytes
            while (try? decoder.next(from: &input, spare: &spare)) != nil {}
        }
        #expect(decoder.openPosition == 2)
    }

    @Test("a line that lies whole in the input is passed on where it lies, and another is gathered in spare memory")
    func memory() throws {
        var decoder = LineDecoder(messageLimit: 100_000)
        var spare: [UInt8] = []
        spare.reserveCapacity(50_000)
        let address = spare.withUnsafeBytes { $0.baseAddress }
        try [UInt8]("12\n3".utf8).withUnsafeBytes { bytes in
            var input = bytes
            let line = try #require(try decoder.next(from: &input, spare: &spare))
            guard case .borrowed(let body) = line.body else {
                Issue.record("The line was gathered.")
                return
            }
            #expect(body.baseAddress == bytes.baseAddress && body.count == 2)
            #expect(try decoder.next(from: &input, spare: &spare) == nil)
        }
        #expect(spare.capacity == 0)
        try [UInt8]("4\n".utf8).withUnsafeBytes { bytes in
            var input = bytes
            let memory = try decoder.next(from: &input, spare: &spare)?.body.spentMemory()
            #expect(memory == Array("34".utf8))
            #expect(memory?.withUnsafeBytes { $0.baseAddress } == address)
        }
    }
}
