import JSONCodec
import Testing

@Suite("What is accepted")
struct AcceptanceTests {
    @Test(
        "every form of RFC 8259 is accepted",
        arguments: [
            ("null", JSON.null), ("true", true), ("false", false), ("0", 0), ("7", 7), ("-1", -1), ("10", 10),
            ("\"\"", ""), ("[]", []), ("{}", [:]), (" \t\r\n1 \t\r\n", 1), ("[ ]", []), ("{ }", [:]),
            ("0.5", 0.5), ("-0.5", -0.5), ("1e2", 100.0), ("1E+2", 100.0), ("1e-2", 0.01), ("0e0", 0.0),
            ("0e+999", 0.0),
            ("1.5e3", 1500.0), ("0.0e-999", 0.0), ("1e00002", 100.0),
            ("[1,2,3]", [1, 2, 3]), ("[[],[[]]]", [[], [[]]]), ("{\"a\":{\"b\":[{}]}}", ["a": ["b": [[:]]]]),
            ("{\"\":1}", ["": 1]), ("{\"\":{\"\":2}}", ["": ["": 2]]), ("[null,true,false]", [nil, true, false]),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "A\u{E9}€"),
            (#""\u0000""#, "\0"), (#""a\u0000b""#, "a\0b"), (#""\uD83D\uDE00""#, "😀"),
            (#""\udbff\udfff""#, "\u{10FFFF}"),
            (#""\uFFFF""#, "\u{FFFF}"), (#""\ufeff""#, "\u{FEFF}"), ("\"\u{7F}\"", "\u{7F}"),
            ("\"\u{2028}\"", "\u{2028}"),
            ("\"é😀\u{10FFFF}\"", "é😀\u{10FFFF}"), ("[\"12345678\",\"1234567\\n\"]", ["12345678", "1234567\n"]),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
            ("18446744073709552000", .double(0x1p64)), ("-9223372036854776000", .double(-0x1p63)),
            ("-36893488147419103000", .double(-0x1p65)), ("100000000000000000000", 1e20),
            ("5e-324", .double(.leastNonzeroMagnitude)), ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
            ("0.1000000000000000055511151231257827", 0.1),
        ] as [(String, JSON)])
    func accepted(text: String, expected: JSON) throws {
        let json = try JSONDocument(text).json
        #expect(json == expected)
        #expect(kind(json) == kind(expected))
    }

    private func kind(_ json: JSON) -> String {
        switch json {
        case .integer: "integer"
        case .unsigned: "unsigned"
        case .double: "double"
        default: "other"
        }
    }

    @Test(
        "what breaks the grammar is a syntax error",
        arguments: [
            "", " ", "\n", "nul", "tru", "t", "-", "+1", "01", "-01", "00", "1.", ".5", "-.5", "1.e1", "1e", "1e+",
            "1e1.5",
            "0x10", "1_000", "NaN", "nan", "Infinity", "-Infinity", "-inf", "TRUE", "True", "Null", "nulll",
            "truefalse",
            "1 2", "1,", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1}", "{]", "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\",1}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}",
            "{null:1}",
            "{\"a\":1 \"b\":2}", "{\"a\"::1}", "[1:2]", "'a'", "\"", "\"a", "\"\\", "\"\\\"", #""\x41""#, #""\'""#,
            #""\a""#,
            #""\U0041""#, #""\u""#, #""\u12""#, #""\u12G4""#, #""\u 123""#, "\"\\\u{0}\"", "\"a\nb\"", "\"\t\"",
            "\"\u{0}\"",
            "\"\u{1F}\"", "\u{0}", "1\u{0}", "[1]\u{0}", "\u{0}[1]", "[1\u{0}]", "[]]", "{}}", "[] []", "[]x",
            "\u{FEFF}[]",
            "\u{A0}1", "1\u{C}", "\u{B}1", "/* */1", "1//", "[1]#", "--1", "1-1", "-a", "1a", "[1a]", "\u{2028}1",
            "[\"a\",\n4\n,1,",
            "12345678901234567890a", "[\"1234567\n\"]", "\"12345678\u{1}\"",
        ])
    func syntax(text: String) {
        #expect(code(parsing: text) == .syntax)
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xE2, 0x82],
            [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE],
            [0xFF],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(code(parsing: [quote] + bytes + [quote]) == .invalidUTF8)
        #expect(code(parsing: [quote] + bytes) == .invalidUTF8)
        #expect(code(parsing: Array("{\"1234567".utf8) + bytes + Array("\":1}".utf8)) == .invalidUTF8)
        #expect(code(parsing: bytes) == .syntax)
    }

    @Test("the first and last character of each UTF-8 length is accepted")
    func utf8Limits() throws {
        for scalar in ["\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}"] {
            #expect(try JSONDocument("\"\(scalar)\"").json == .string(scalar))
        }
    }

    @Test(
        "UTF-16 and byte order marks are refused",
        arguments: [[0xFE, 0xFF, 0, 0x31], [0xFF, 0xFE, 0x31, 0], [0xEF, 0xBB, 0xBF]])
    func otherEncodings(bytes: [UInt8]) {
        #expect(code(parsing: bytes) == .syntax)
        #expect(code(parsing: bytes + [0x31]) == .syntax)
    }

    @Test("every character beyond U+FFFF can be written as two escapes, in strings and keys")
    func surrogatePairs() throws {
        for start in stride(from: UInt32(0x10000), to: 0x110000, by: 0x400) {
            let scalars = (start..<start + 0x400).compactMap(Unicode.Scalar.init)
            var escaped = ""
            var plain = ""
            for scalar in scalars {
                for unit in String(scalar).utf16 { escaped += "\\u" + String(unit, radix: 16) }
                plain.unicodeScalars.append(scalar)
            }
            let json = try JSONDocument("{\"\(escaped)\":\"\(escaped)\"}").json
            #expect(json.objectValue?.keys.first?.utf8.elementsEqual(plain.utf8) == true)
            #expect(json[plain] == .string(plain))
        }
    }

    @Test(
        "half of a surrogate pair is refused",
        arguments: [
            #""\uD800""#, #""\uDFFF""#, #""\uDC00\uD800""#, #""\uD800\uD800""#, #""\uD83Dx""#, #""\uD83D\n""#,
            #""\ud83d\u0041""#,
            #""x\uDBFF""#, #"{"\uD800":1}"#,
        ])
    func surrogates(text: String) {
        #expect(code(parsing: text) == .loneSurrogate)
    }

    @Test(
        "a number that would become another number is refused",
        arguments: [
            "18446744073709551616", "18446744073709551617", "-9223372036854775809", "123456789012345678901234567890",
            "1e400",
            "-1e400", "1.8e308", "1e-400", "-0.1e-999", "0.0000001e-400", "1" + String(repeating: "0", count: 400),
            "[1,{\"a\":[99999999999999999999]}]", "18446744073709551999", String(repeating: "9", count: 309),
        ])
    func numberOutOfRange(text: String) {
        #expect(code(parsing: text) == .numberOutOfRange)
    }

    @Test("minus zero stays minus zero", arguments: ["-0", "-0.0", "-0e5", "[-0]", "{\"a\":-0}"])
    func minusZero(text: String) throws {
        var json = try JSONDocument(text).json
        json = json[0] ?? json["a"] ?? json
        #expect(json.doubleValue?.sign == .minus)
        #expect(json == 0)
        #expect(json.integerValue == 0)
    }

    @Test(
        "the same key twice in an object is refused, however it is written",
        arguments: [
            #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#, #"{"a":1,"\u0061":2}"#, #"{"":1,"":2}"#,
            #"[{"x":{"a":1,"a":null}}]"#,
            #"{"a":{"b":1},"a":{}}"#, #"{"\u0000":1,"\u0000":2}"#, #"{"é":1,"\u00e9":2}"#, #"{"/":1,"\/":2}"#,
            #"{"😀":1,"\ud83d\ude00":2}"#,
        ])
    func duplicateKeys(text: String) {
        #expect(code(parsing: text) == .duplicateKey)
    }

    @Test("keys that only look or begin alike are different keys")
    func similarKeys() throws {
        let json = try JSON(
            parsing: #"{"\u00e9":1,"e\u0301":2,"a":3,"A":4,"a\u0000":5,"a\u0000b":6,"\u0000":7,"":8,"\u0000\u0000":9}"#)
        let object = try #require(json.objectValue)
        #expect(object.count == 9)
        #expect(object["\u{e9}"] == 1)
        #expect(object["e\u{301}"] == 2)
        #expect(json["a\0"] == 5)
        #expect(json["a\0b"] == 6)
        #expect(json["\0"] == 7)
        #expect(json[""] == 8)
        #expect(json["\0\0"] == 9)
        #expect(try JSON(parsing: json.description) == json)
    }

    @Test("512 levels are accepted, 513 are not")
    func depth() throws {
        func nested(_ levels: Int, _ open: String, _ close: String, _ inner: String) -> String {
            String(repeating: open, count: levels) + inner + String(repeating: close, count: levels)
        }
        for inner in ["", "1", "\"a\""] {
            _ = try JSONDocument(nested(512, "[", "]", inner)).json
            #expect(code(parsing: nested(513, "[", "]", inner)) == .tooDeep)
        }
        let json = try JSONDocument(nested(512, "{\"a\":", "}", "null")).json
        #expect(try JSON(parsing: text(json)) == json)
        #expect(code(parsing: nested(513, "{\"a\":", "}", "1")) == .tooDeep)
        #expect(code(parsing: nested(100_000, "[", "", "")) == .tooDeep)
        let mixed = nested(200, "[{\"a\":", "}]", "[]")
        #expect(try JSONDocument(mixed).json.description == mixed)
        #expect(code(parsing: nested(200, "[{\"a\":", "]}", "[]")) == .syntax)
    }

    @Test("a lower limit of depth is kept")
    func lowerDepth() throws {
        let bytes = Array("[[[]]]".utf8)
        try bytes.withUnsafeBytes { bytes in
            _ = try JSONDocument(parsing: bytes, maximumDepth: 3)
            #expect(throws: JSONError.self) { try JSONDocument(parsing: bytes, maximumDepth: 2) }
        }
    }

    @Test("an error says where it is and what is wrong")
    func errorDescription() {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: "[1, x]") }
        #expect(error?.offset == 4)
        #expect(error?.description == "Expected a value, found `x`. (syntax at byte 4)")
    }

    @Test("a text that is cut anywhere is refused")
    func truncation() throws {
        let bytes = Array(#"{"a":[1.5e+3,-0,"x\ud83d\ude00é",true,null,false],"\u0000b":{"c":[[]]}}"#.utf8)
        _ = try JSONDocument(bytes)
        for count in 0..<bytes.count { #expect(code(parsing: Array(bytes[..<count])) != nil) }
    }

    @Test("several edits in one text do not disturb each other")
    func manyEdits() throws {
        let json = try JSON(parsing: #"  {"\u0000":-0,"b\u0000c\u0000":[18446744073709552000,-0 ,1]} "#)
        #expect(json == ["\0": -0.0, "b\0c\0": [.double(0x1p64), 0, 1]])
        #expect(json.description == #"{"\u0000":-0.0,"b\u0000c\u0000":[1.8446744073709552e+19,-0.0,1]}"#)
    }
}
