import JSONCodec
import Testing

/// Encodes itself by whatever the closure does.
struct Custom: Encodable {
    let body: (any Encoder) throws -> Void
    func encode(to encoder: any Encoder) throws { try body(encoder) }
}

@Suite("Encoding")
struct EncodingTests {
    func text(_ body: @escaping (any Encoder) throws -> Void) throws -> String {
        try JSONCodecTests.text(Custom(body: body))
    }

    @Test("scalars stand at the top as they are")
    func scalars() throws {
        #expect(try JSONCodecTests.text("a") == "\"a\"")
        #expect(try JSONCodecTests.text(1) == "1")
        #expect(try JSONCodecTests.text(Int64.min) == "-9223372036854775808")
        #expect(try JSONCodecTests.text(UInt64.max) == "18446744073709551615")
        #expect(try JSONCodecTests.text(Int8.min) == "-128")
        #expect(try JSONCodecTests.text(UInt8(200)) == "200")
        #expect(try JSONCodecTests.text(Int16(-1)) == "-1")
        #expect(try JSONCodecTests.text(UInt16.max) == "65535")
        #expect(try JSONCodecTests.text(Int32(7)) == "7")
        #expect(try JSONCodecTests.text(UInt32.max) == "4294967295")
        #expect(try JSONCodecTests.text(UInt(0)) == "0")
        #expect(try JSONCodecTests.text(true) == "true")
        #expect(try JSONCodecTests.text(1.0) == "1.0")
        #expect(try JSONCodecTests.text(-0.0) == "-0.0")
        #expect(try JSONCodecTests.text(1e100) == "1e+100")
        #expect(try JSONCodecTests.text(Float(0.1)) == "0.1")
        #expect(try JSONCodecTests.text(JSON.null) == "null")
        #expect(try JSONCodecTests.text(Int128(-5)) == "-5")
        #expect(try JSONCodecTests.text([UInt128(UInt64.max)]) == "[18446744073709551615]")
    }

    @Test("only what must be escaped is escaped")
    func escapes() throws {
        #expect(
            try JSONCodecTests.text("\0\u{1}\u{8}\t\n\u{B}\u{C}\r\u{1F} \"\\/\u{7F}é\u{2028}😀")
                == "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\u{7F}é\u{2028}😀\"")
        for length in 0..<20 {
            for position in 0..<length {
                for special in ["\"", "\\", "\n", "é", "\u{1F}"] {
                    var characters = Array(repeating: "x", count: length)
                    characters[position] = special
                    let string = characters.joined()
                    #expect(try decode(String.self, JSONCodecTests.text(string)) == string)
                }
            }
        }
    }

    @Test("what JSON cannot express is an error with its path")
    func inexpressible() {
        struct Outer: Encodable { var values: [String: [Double]] }
        #expect(pathOfFailure { _ = try JSONCodecTests.text(Outer(values: ["a": [1, .nan]])) } == "values.a.1")
        #expect(pathOfFailure { _ = try JSONCodecTests.text([Float.infinity]) } == "0")
        #expect(pathOfFailure { _ = try JSONCodecTests.text(["k": Int128.max]) } == "k")
        #expect(pathOfFailure { _ = try JSONCodecTests.text(UInt128.max) } == "")
        #expect(pathOfFailure { _ = try JSONCodecTests.text([Int128(Int64.min), Int128(Int64.min) - 1]) } == "1")
        #expect(pathOfFailure { _ = try JSONCodecTests.text(["j": JSON.array([.double(.nan)])]) } == "j")
    }

    @Test("a failure leaves the buffer as it was, and a success appends")
    func buffer() throws {
        var bytes = Array("head".utf8)
        #expect(throws: EncodingError.self) { try JSONText.append([[1.0], [.nan]], to: &bytes) }
        #expect(String(decoding: bytes, as: UTF8.self) == "head")
        try JSONText.append(Derived(base: 1, own: "x"), to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == #"head{"super":{"base":1},"own":"x"}"#)
        struct Odd: Error {}
        #expect(throws: Odd.self) {
            try JSONText.append(
                Custom {
                    _ = $0.unkeyedContainer()
                    throw Odd()
                }, to: &bytes)
        }
        #expect(String(decoding: bytes, as: UTF8.self) == #"head{"super":{"base":1},"own":"x"}"#)
    }

    @Test("a container that is left empty is an empty object or array")
    func emptyContainers() throws {
        struct Empty: Codable {}
        #expect(try JSONCodecTests.text(Empty()) == "{}")
        #expect(try JSONCodecTests.text([Empty(), Empty()]) == "[{},{}]")
        #expect(try text { _ = $0.unkeyedContainer() } == "[]")
        #expect(try text { _ = $0.container(keyedBy: AnyKey.self) } == "{}")
        #expect(
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                _ = top.nestedContainer(keyedBy: AnyKey.self, forKey: "a")
                _ = top.nestedUnkeyedContainer(forKey: "b")
                _ = top.superEncoder().unkeyedContainer()
            } == #"{"a":{},"b":[],"super":[]}"#)
    }

    @Test("a value that encodes nothing is an error that says where")
    func nothing() throws {
        let nothing = Custom { _ in }
        func path(_ value: some Encodable) -> String? {
            do {
                _ = try JSONCodecTests.text(value)
                return nil
            } catch EncodingError.invalidValue(_, let context) {
                #expect(context.debugDescription.contains("did not encode any values"))
                return context.codingPath.map(\.stringValue).joined(separator: ".")
            } catch {
                return "\(error)"
            }
        }
        #expect(path(nothing) == "")
        #expect(path(Custom { _ = $0.singleValueContainer() }) == "")
        #expect(path([nothing]) == "Index 0")
        #expect(path(["a": [nothing]]) == "a.Index 0")
        #expect(path([nothing] as [Custom?]) == "Index 0")
        #expect(
            path(
                Custom {
                    var container = $0.unkeyedContainer()
                    try container.encode(1)
                    // An error that a value swallows is one all the same.
                    try? container.encode(nothing)
                }) == "Index 1")
        #expect(
            path(
                Custom {
                    var container = $0.container(keyedBy: AnyKey.self)
                    try nothing.encode(to: container.superEncoder(forKey: "a"))
                    try container.encode(1, forKey: "b")
                }) == "a")
    }

    @Test("containers of one encoder continue each other")
    func sameContainer() throws {
        #expect(
            try text {
                var first = $0.container(keyedBy: AnyKey.self)
                try first.encode(1, forKey: "a")
                var second = $0.container(keyedBy: AnyKey.self)
                try second.encode(2, forKey: "b")
                try first.encode(3, forKey: "c")
            } == #"{"a":1,"b":2,"c":3}"#)
        let list = try text {
            var first = $0.unkeyedContainer()
            try first.encode(1)
            var second = $0.unkeyedContainer()
            #expect(second.count == 1)
            try second.encode(2)
            #expect(first.count == 2)
        }
        #expect(list == "[1,2]")
    }

    @Test("siblings may be written in turns")
    func interleaved() throws {
        #expect(
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                var a = top.nestedContainer(keyedBy: AnyKey.self, forKey: "a")
                try a.encode(1, forKey: "x")
                var b = top.nestedUnkeyedContainer(forKey: "b")
                try b.encode(1)
                try a.encode(2, forKey: "y")
                var deep = a.nestedUnkeyedContainer(forKey: "z")
                try b.encode("two")
                try deep.encode(true)
                try top.encode(3, forKey: "c")
                try deep.encodeNil()
                try a.encode(4, forKey: "end")
                try deep.encode(false)
                try b.encode([3])
            } == #"{"a":{"x":1,"y":2,"z":[true,null,false],"end":4},"b":[1,"two",[3]],"c":3}"#)
    }

    @Test("a container that was closed empty can still be filled")
    func filledLate() throws {
        #expect(
            try text {
                var top = $0.unkeyedContainer()
                var first = top.nestedContainer(keyedBy: AnyKey.self)
                var second = top.nestedUnkeyedContainer()
                try top.encode(0)
                try second.encode(2)
                try first.encode(1, forKey: "k")
                var inner = first.nestedUnkeyedContainer(forKey: "l")
                try first.encode(5, forKey: "m")
                try inner.encode(6)
            } == #"[{"k":1,"l":[6],"m":5},[2],0]"#)
    }

    @Test("a super encoder can be used late")
    func superEncoder() throws {
        let encoded = try text {
            var top = $0.container(keyedBy: AnyKey.self)
            let late = top.superEncoder()
            let named = top.superEncoder(forKey: "named")
            var list = top.nestedUnkeyedContainer(forKey: "list")
            let element = list.superEncoder()
            try list.encode(2)
            try top.encode(1, forKey: "x")
            try 7.encode(to: element)
            var inner = named.container(keyedBy: AnyKey.self)
            let innermost = inner.superEncoder()
            try inner.encode(true, forKey: "i")
            try "deep".encode(to: innermost)
            try [1, 2].encode(to: late)
            #expect(element.codingPath.map(\.stringValue) == ["list", "Index 0"])
        }
        #expect(encoded == #"{"super":[1,2],"named":{"super":"deep","i":true},"list":[7,2],"x":1}"#)
    }

    @Test("an outer container may be written while an inner value has not begun")
    func bypassed() throws {
        #expect(
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                let sibling = top.nestedContainer(keyedBy: AnyKey.self, forKey: "other")
                let outer = top
                let inner = Custom { encoder in
                    var top = outer
                    var other = sibling
                    try top.encode(2, forKey: "b")
                    try other.encode(3, forKey: "c")
                    try [1].encode(to: encoder)
                }
                try top.encode(inner, forKey: "a")
            } == #"{"other":{"c":3},"a":[1],"b":2}"#)
        #expect(
            try text {
                var top = $0.unkeyedContainer()
                let list = top.nestedUnkeyedContainer()
                var copy = list
                let outer = top
                try copy.encode(
                    Custom { encoder in
                        var outer = outer
                        var list = list
                        try outer.encode("after")
                        try list.encode("late")
                        try "value".encode(to: encoder)
                    })
            } == #"[["value","late"],"after"]"#)
    }

    @Test("a key that is written twice is an error, whenever it is written")
    func duplicateKeys() throws {
        for count in [1, 15, 16, 17, 40] {
            #expect(throws: EncodingError.self) {
                try text {
                    var top = $0.container(keyedBy: AnyKey.self)
                    for index in 0..<count { try top.encode(index, forKey: AnyKey(stringValue: "key\(index)")) }
                    try top.encode(0, forKey: "key0")
                }
            }
        }
        #expect(throws: EncodingError.self) {
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                var late = top.nestedContainer(keyedBy: AnyKey.self, forKey: "late")
                try late.encode(1, forKey: "a\n")
                try top.encode(1, forKey: "b")
                try late.encode(2, forKey: "a\n")
            }
        }
        #expect(throws: EncodingError.self) {
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                try top.encode(1, forKey: "a")
                _ = top.nestedUnkeyedContainer(forKey: "a")
            }
        }
        #expect(throws: EncodingError.self) {
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                _ = top.superEncoder()
                try Custom { _ = $0.container(keyedBy: AnyKey.self) }.encode(to: top.superEncoder())
            }
        }
    }

    @Test("a refused key or scalar can be caught, and the rest is written")
    func recovery() throws {
        #expect(
            try text {
                var top = $0.container(keyedBy: AnyKey.self)
                try? top.encode(Double.nan, forKey: "nan")
                try top.encode(1, forKey: "a")
                try? top.encode(2, forKey: "a")
                try top.encode("\u{e9}", forKey: "\u{e9}")
                try top.encode(4, forKey: "e\u{301}")
                var list = top.nestedUnkeyedContainer(forKey: "list")
                try? list.encode(Float.infinity)
                try list.encode(1)
            } == "{\"a\":1,\"\u{e9}\":\"\u{e9}\",\"e\u{301}\":4,\"list\":[1]}")
        #expect(throws: EncodingError.self) {
            try text {
                var top = $0.unkeyedContainer()
                try? top.encode([Double.nan])
                try? top.encode(1)
            }
        }
    }

    @Test("an encoder that is given two values is an error, not a trap")
    func twoValues() {
        #expect(throws: EncodingError.self) {
            try text {
                var container = $0.singleValueContainer()
                try container.encode(1)
                try container.encode(2)
            }
        }
        #expect(throws: EncodingError.self) {
            try text {
                _ = $0.container(keyedBy: AnyKey.self)
                var list = $0.unkeyedContainer()
                try list.encode(1)
            }
        }
        #expect(throws: EncodingError.self) {
            try text {
                try 1.encode(to: $0)
                var object = $0.container(keyedBy: AnyKey.self)
                try object.encode(1, forKey: "a")
            }
        }
    }

    @Test("a cycle is an error, through containers and through single values")
    func cycles() {
        let link = Link(next: nil)
        link.next = link
        #expect(throws: EncodingError.self) { try JSONCodecTests.text(link) }
        link.next = nil
        final class Loop: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(self)
            }
        }
        #expect(throws: EncodingError.self) { try JSONCodecTests.text(Loop()) }
        final class ListLoop: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.unkeyedContainer()
                try container.encode(Optional(["k": [self]]))
            }
        }
        #expect(throws: EncodingError.self) { try JSONCodecTests.text(ListLoop()) }
    }

    @Test("a JSON value may fill what is left of 512 levels, and no more")
    func jsonDepth() throws {
        var json: JSON = []
        for _ in 0..<510 { json = [json] }
        #expect(try JSON(parsing: JSONCodecTests.text(["a": json])) == ["a": json])
        #expect(throws: EncodingError.self) { try JSONCodecTests.text([["a": json]]) }
        #expect(throws: EncodingError.self) { try JSONCodecTests.text(JSON.array([["a": json]])) }
    }

    @Test("an encoder or container that is kept refuses all after the end")
    func keptEncoder() throws {
        var kept: KeyedEncodingContainer<AnyKey>?
        var keptEncoder: (any Encoder)?
        let done = try text { encoder in
            keptEncoder = encoder
            kept = encoder.container(keyedBy: AnyKey.self)
            try kept?.encode(1, forKey: "a")
        }
        #expect(done == #"{"a":1}"#)
        #expect(throws: EncodingError.self) { try kept?.encode(2, forKey: "b") }
        _ = keptEncoder?.unkeyedContainer()
        _ = try? text { encoder in
            kept = encoder.container(keyedBy: AnyKey.self)
            try kept?.encode(1, forKey: "a")
            try kept?.encode([Double.nan], forKey: "b")
        }
        #expect(throws: EncodingError.self) { try kept?.encode(2, forKey: "c") }
        _ = kept?.nestedUnkeyedContainer(forKey: "d")
    }

    @Test("an encoding that is over, failed or not, keeps nothing alive")
    func release() throws {
        for fails in [false, true] {
            weak var outer: AnyObject?
            weak var late: AnyObject?
            _ = try? text { encoder in
                outer = encoder as AnyObject
                var top = encoder.container(keyedBy: AnyKey.self)
                late = top.superEncoder() as AnyObject
                var list = top.nestedUnkeyedContainer(forKey: "list")
                try top.encode(1, forKey: "a")
                try list.encode([[1]])
                try list.encode(fails ? Double.nan : 1)
            }
            #expect(outer == nil)
            #expect(late == nil)
        }
    }

    @Test("a whole text of large arrays and objects comes back equal")
    func large() throws {
        let values = (0..<10_000).map { ["id": $0, "square": $0 * $0] }
        #expect(try decode([[String: Int]].self, JSONCodecTests.text(values)) == values)
    }
}
