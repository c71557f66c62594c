import JSONCodec
import Testing

/// Whatever the text is: the tape that the scanner writes and the one that is made of json-c's tree are the same.
@Suite("The scanner beside json-c")
struct ReferenceTests {
    private enum Outcome: Equatable {
        /// The description is there for the order of the keys, and for the sign of zero.
        case value(JSON, description: String, bits: [UInt64])
        case failure(JSONError.Code, offset: Int?, message: String)
    }

    private func outcome(_ parse: () throws(JSONError) -> JSONDocument) -> Outcome {
        do throws(JSONError) {
            let json = try parse().json
            return .value(json, description: json.description, bits: doubles(in: json).map(\.bitPattern))
        } catch {
            return .failure(error.code, offset: error.offset, message: error.message)
        }
    }

    private func doubles(in json: JSON) -> [Double] {
        switch json {
        case .double(let double): [double]
        case .array(let elements): elements.flatMap { doubles(in: $0) }
        case .object(let members): members.flatMap { doubles(in: $0.value) }
        default: []
        }
    }

    /// - Returns: whether the text was accepted.
    @discardableResult
    private func compare(_ text: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) -> Bool {
        // A copy of exactly this size, so that AddressSanitizer sees a read past the end.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: text)
        let bytes = UnsafeRawBufferPointer(copy)
        var isAccepted = false
        for numbersAreDoubles in [false, true] {
            let own = outcome { () throws(JSONError) in
                try JSONDocument(parsing: bytes, numbersAreDoubles: numbersAreDoubles)
            }
            let reference = outcome { () throws(JSONError) in
                try JSONDocument(parsingWithJSONC: bytes, numbersAreDoubles: numbersAreDoubles)
            }
            #expect(own == reference, "\(String(decoding: text, as: UTF8.self))", sourceLocation: sourceLocation)
            if case .value = own { isAccepted = true }
        }
        return isAccepted
    }

    private static let texts = [
        #"{"a":[1.5e+3,-0,"x\ud83d\ude00é",true,null,false],"\u0000b":{"c":[[]]}}"#,
        #"[{"id":100001,"name":"sensor 17","active":true,"score":98.25,"tags":["north","roof"],"#
            + #""place":{"x":12,"y":-7}}]"#,
        #"{"a":1,"b":{"a":1,"aa":2,"b":[{"a":{}},{}]},"":[],"c":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud834\udd1e"}"#,
        "[9223372036854775807,9223372036854775808,18446744073709551615,-9223372036854775808,9007199254740993]",
        "[0.1,1e22,1e23,123456789012345678901234567890e-5,-1.5E-7,0e999,0.0e-999,4.9e-324,1.7976931348623157e308]",
        " [ \"long enough to take more than one step of eight bytes\\n\" , \"\u{10FFFF}\u{800}\u{7FF}é\" ] ",
    ]

    @Test("every prefix of a text, and every change of one byte, is judged alike", arguments: texts)
    func neighbours(text: String) {
        let bytes = Array(text.utf8)
        #expect(compare(bytes))
        for count in 0..<bytes.count { compare(Array(bytes[..<count])) }
        for position in bytes.indices {
            for byte in Array(#"{}[]",:\u0e.-+19 "#.utf8) + [0, 0x1F, 0x80, 0xC3, 0xED, 0xFF, bytes[position] ^ 1] {
                var changed = bytes
                changed[position] = byte
                compare(changed)
            }
            var shorter = bytes
            shorter.remove(at: position)
            compare(shorter)
        }
    }

    @Test("generated texts are judged alike, with whitespace and escapes everywhere")
    func generated() {
        var generator = JSONGenerator(seed: 7)
        for _ in 0..<3000 { #expect(compare(Array(generator.looseText(generator.value()).utf8))) }
    }

    @Test("generated numbers are read alike, to the last bit")
    func numbers() {
        var generator = JSONGenerator(seed: 8)
        func digits(_ count: ClosedRange<Int>) -> String {
            let count = Int.random(in: count, using: &generator.random)
            return String((0..<count).map { _ in "0123456789".randomElement(using: &generator.random)! })
        }
        var accepted = 0
        for _ in 0..<30_000 {
            var text = Bool.random(using: &generator.random) ? "-" : ""
            text += Bool.random(using: &generator.random) ? "0" : "1" + digits(0...21)
            if Int.random(in: 0..<3, using: &generator.random) > 0 { text += "." + digits(1...24) }
            if Bool.random(using: &generator.random) {
                text += ["e", "E", "e+", "e-", "E-"].randomElement(using: &generator.random)! + digits(1...3)
            }
            if compare(Array("[\(text)]".utf8)) { accepted += 1 }
            compare(Array(text.utf8))
        }
        #expect(accepted > 10_000)
    }

    @Test(
        "numbers at the limits of their types are read alike, beside whatever else json-c is asked about",
        arguments: [
            "9223372036854775807", "9223372036854775808", "9999999999999999999", "10000000000000000000",
            "18446744073709551615", "18446744073709551616", "18446744073709552000", "19999999999999999999",
            "20000000000000000000", "36893488147419103000", "99999999999999999999", "100000000000000000000", "0", "00",
            "9007199254740993", "9007199254740993.0", "9007199254740992e22", "9007199254740992e23", "1e22", "1e-22",
            "0.0000000000000000000000000000000000000000", "0.0000000000000000000000000001234567890123456789",
            "1844674407370955161.6", "18446744073709551616.0", "0.18446744073709551616", "36893488147419103232e0",
            "1.7976931348623158e308", "1.7976931348623159e308", "17976931348623158079e289", "1e309", "1e99999999999999",
            "4.9e-324", "2.4703282292062328e-324", "2.4703282292062327e-324", "1e-99999999999999", "0e99999999999999",
            "0.00000000000000000001e328", "0.00000000000000000001e329",
        ])
    func limits(number: String) {
        let other = "1.7976931348623159e308"
        for number in [number, "-" + number] {
            for text in [
                number, "[\(number)]", "[\(number),\(number) ]", "[\(number),\(other)]", "[\(other),\(number)]",
                "{\"a\":\(number),\"a\":1}", "{\"a\":1,\"a\":\(number)}", "[\(number),{\"a\":\(other),\"a\":1}]",
                "{\"\\u0061\":\(number)}", "[\(number),{\"\\u0061\":\(number)}]", "[\(number),\"\\ud834\\udd1e\"]",
                "[\(number)", "[\(number)x]", "[\(other),\(number)x]",
            ] {
                compare(Array(text.utf8))
            }
        }
    }

    @Test("keys of every count and length are compared with each other")
    func repeatedKeys() {
        for count in [2, 3, 8, 15, 16, 17, 18, 40, 300] {
            for prefix in ["", "k", "longer than eight ", "ends in NUL \\u0000"] {
                let keys = (0..<count).map { "\"\(prefix)\($0 * 7 % count)\"" }
                #expect(compare(Array("{\(keys.map { $0 + ":0" }.joined(separator: ","))}".utf8)))
                for twice in [0, count / 2, count - 1] {
                    for place in [0, count / 3, count] {
                        var keys = keys
                        keys.insert(keys[twice], at: place)
                        #expect(!compare(Array("{\(keys.map { $0 + ":[0]" }.joined(separator: ","))}".utf8)))
                    }
                }
            }
        }
    }

    @Test("a text of a hundred thousand keys with one beginning is parsed and read in time")
    func manyKeys() throws {
        let prefix = String(repeating: "k", count: 40)
        let count = 100_000
        let text = "{" + (0..<count).map { "\"\(prefix)\($0)\":{\"a\":\($0)}" }.joined(separator: ",") + "}"
        let clock = ContinuousClock()
        let time = try clock.measure {
            let document = try JSONDocument(text)
            #expect(try document.decode([String: [String: Int]].self).count == count)
            #expect(document.json.objectValue?.count == count)
        }
        // Linear it takes a second at most, also without optimization; quadratic it would take minutes.
        #expect(time < .seconds(30))
    }
}
