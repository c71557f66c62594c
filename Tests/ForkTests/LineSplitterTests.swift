import Testing

@testable import Fork

@Suite("Lines")
struct LineSplitterTests {
    private func lines(_ chunks: [[UInt8]], limit: Int = LineSplitter.defaultLimit) -> [String] {
        var splitter = LineSplitter(limit: limit)
        var lines: [String] = []
        for chunk in chunks {
            splitter.append(chunk)
            while let line = splitter.next() { lines.append(line) }
        }
        while let line = splitter.finish() { lines.append(line) }
        return lines
    }

    @Test(
        "both ends of a line end it, the last line needs none, and what is not UTF-8 is repaired",
        arguments: [
            ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r\nb\n\nc\r", ["a", "b", "", "c\r"]),
            ("\r\n\r\n", ["", ""]), ("a\rb\n\r", ["a\rb", "\r"]),
        ] as [(String, [String])])
    func ends(_ text: String, _ expected: [String]) {
        #expect(lines([Array(text.utf8)]) == expected)
        #expect(lines([[0x61, 0xff, 0x0a, 0xc3]]) == ["a\u{FFFD}", "\u{FFFD}"])
    }

    @Test("the same lines come whatever pieces the bytes come in: at every point, byte by byte, with every limit")
    func everySplit() {
        let text = Array(
            "one\r\n\nzwölf 🙂🙂 long\r\r\nand a longer one\n🙂\r\n1234567\r\n12345678\nlast\r".utf8)
        for limit in [4, 5, 7, 8, 9, 1 << 20] {
            let whole = lines([text], limit: limit)
            #expect(whole.allSatisfy { $0.utf8.count <= limit && !$0.unicodeScalars.contains("\u{FFFD}") })
            #expect(lines(text.map { [$0] }, limit: limit) == whole)
            for point in 0...text.count {
                #expect(lines([Array(text[..<point]), Array(text[point...])], limit: limit) == whole)
            }
        }
    }

    @Test("a line of just the limit is whole, also with a long end; a longer one comes in pieces that cut no character")
    func limit() {
        #expect(lines([Array("1234\r\n12345\n".utf8)], limit: 4) == ["1234", "1234", "5"])
        #expect(lines([Array("12🙂🙂\n".utf8)], limit: 5) == ["12", "🙂", "🙂"])
        // What is no character at all is cut where the limit is.
        #expect(lines([[UInt8](repeating: 0x80, count: 9)], limit: 4).count == 3)
    }

    @Test("a line without an end is kept up to its limit, and no further")
    func memory() {
        var splitter = LineSplitter(limit: 1000)
        var count = 0
        for _ in 0..<100 {
            splitter.append([UInt8](repeating: 0x78, count: 100))
            while let piece = splitter.next() {
                #expect(piece.utf8.count == 1000)
                count += 1
            }
        }
        #expect(count == 9)
    }
}
