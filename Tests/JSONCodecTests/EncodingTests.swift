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
}
