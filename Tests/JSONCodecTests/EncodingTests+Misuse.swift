import JSONCodec
import Testing

/// What an `encode(to:)` may do wrong.
extension EncodingTests {
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
