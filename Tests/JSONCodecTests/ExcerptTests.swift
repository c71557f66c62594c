import JSONCodec
import Testing

@Suite("What an error shows of a text that is not its own")
struct ExcerptTests {
    private struct Key: CodingKey {
        let stringValue: String
        let intValue: Int?

        init(stringValue: String) { (self.stringValue, intValue) = (stringValue, nil) }
        init(intValue: Int) { (stringValue, self.intValue) = ("", intValue) }
    }

    @Test("a short text is shown as it is, and of a long one as much as the limit")
    func lengths() {
        let longest = String(repeating: "x", count: 40)
        #expect("".excerpt() == "")
        #expect("grüße 😀".excerpt() == "grüße 😀")
        #expect(longest.excerpt() == longest)
        #expect((longest + "x").excerpt() == longest + "…")
        #expect(String(repeating: "ü", count: 1_000_000).excerpt(3) == "üüü…")
    }

    @Test("a grapheme of a megabyte is cut like any other text")
    func endlessGrapheme() {
        #expect(("e" + String(repeating: "\u{301}", count: 500_000)).excerpt().unicodeScalars.count == 41)
    }

    @Test("what would control a terminal, start a line or turn the direction of writing is escaped")
    func controls() {
        #expect("a\r\n\tb".excerpt() == #"a\r\n\tb"#)
        #expect("\u{1B}[2J\0\u{7F}\u{9B}".excerpt() == #"\u{1B}[2J\u{0}\u{7F}\u{9B}"#)
        #expect("\u{202E}\u{2028}\u{FEFF}".excerpt() == #"\u{202E}\u{2028}\u{FEFF}"#)
        // Nothing is cut within an escape.
        #expect(String(repeating: "\u{1B}", count: 40).excerpt(13) == #"\u{1B}\u{1B}…"#)
    }

    @Test("of a long path the first three and the last two keys are shown")
    func paths() {
        let short: [any CodingKey] = [Key(stringValue: "items"), Key(intValue: 3), Key(stringValue: "name")]
        #expect(short.excerpt == ".items[3].name")
        let long: [any CodingKey] = (0..<500).map { Key(intValue: $0) }
        #expect(long.excerpt == "[0][1][2]…[498][499]")
        let wide: [any CodingKey] = [Key(stringValue: String(repeating: "\u{1B}", count: 1_000_000))]
        #expect(wide.excerpt.count < 50)
    }

    @Test("the error of a value that is too deep has nothing of it, and no type of this module's own")
    func tooDeep() throws {
        indirect enum Tree: Encodable {
            case leaf
            case node(Tree)

            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                if case .node(let tree) = self { try container.encode(tree) }
            }
        }
        var json = JSON.string("secret")
        var tree = Tree.leaf
        for _ in 0..<600 { (json, tree) = ([json], .node(tree)) }
        for value in [json, tree] as [any Encodable] {
            let error = #expect(throws: EncodingError.self) { try text(value) }
            guard case .invalidValue(let shown, _) = try #require(error) else { return }
            #expect(shown as? JSON == [])
        }
    }
}
