import JSONCodec
import Testing

@Suite("Decoding")
struct DecodingTests {
    struct Person: Codable, Equatable {
        enum Role: String, Codable { case admin, user }

        enum Contact: Codable, Equatable {
            case none
            case mail(String)
            case phone(country: Int, number: String)
        }

        var name: String
        var age: Int
        var height: Double?
        var role: Role
        var contacts: [Contact]
        var extra: JSON?
        var children: [Person]?
    }

    @Test("structs, enums with payloads, optionals and JSON members are decoded and encoded")
    func structures() throws {
        let child = Person(name: "B", age: 1, role: .user, contacts: [])
        let person = Person(
            name: "A\0é", age: -5, height: 1.75, role: .admin,
            contacts: [.none, .mail("a/b"), .phone(country: 41, number: "1")], extra: ["x": [1, nil, 2.5]],
            children: [child])
        let encoded = try text(person)
        #expect(
            encoded == #"{"name":"A\u0000é","age":-5,"height":1.75,"role":"admin","#
                + #""contacts":[{"none":{}},{"mail":{"_0":"a/b"}},{"phone":{"country":41,"number":"1"}}],"#
                + #""extra":{"x":[1,null,2.5]},"children":[{"name":"B","age":1,"role":"user","contacts":[]}]}"#)
        #expect(try decode(Person.self, encoded) == person)
        #expect(try JSON(encoding: person).decode(Person.self) == person)
    }

    @Test("integers are exact or an error")
    func integers() throws {
        #expect(try decode(Int.self, "3.0") == 3)
        #expect(try decode(Int.self, "3e2") == 300)
        #expect(try decode(Int8.self, "-128") == -128)
        #expect(try decode(UInt8.self, "255") == 255)
        #expect(try decode(UInt64.self, "18446744073709551615") == .max)
        #expect(try decode(Int64.self, "-9223372036854775808") == .min)
        #expect(try decode(UInt.self, "-0") == 0)
        #expect(try decode(Int128.self, "18446744073709551615") == Int128(UInt64.max))
        #expect(try decode(UInt128.self, "1") == 1)
        func refused<T: Decodable>(_ type: T.Type, _ text: String) {
            do {
                _ = try decode(type, text)
                Issue.record("\(text) was decoded as \(type)")
            } catch DecodingError.dataCorrupted {
            } catch {
                Issue.record("\(error)")
            }
        }
        refused(Int.self, "3.5")
        refused(Int8.self, "128")
        refused(Int16.self, "32768")
        refused(Int32.self, "2147483648")
        refused(Int64.self, "9223372036854775808")
        refused(Int.self, "1e300")
        refused(UInt.self, "-1")
        refused(UInt8.self, "256")
        refused(UInt16.self, "65536")
        refused(UInt32.self, "4294967296")
        refused(UInt64.self, "18446744073709552000")
        refused(UInt128.self, "-1")
        refused(Double.self, "9007199254740993")
        refused(Double.self, "18446744073709551615")
        refused(Float.self, "1e39")
        refused(Float.self, "1e-60")
        refused(Float.self, "16777217")
    }

    @Test("floating-point numbers are what was sent")
    func floatingPoint() throws {
        #expect(try decode(Double.self, "3") == 3)
        #expect(try decode(Double.self, "9007199254740992") == 0x1p53)
        #expect(try decode(Double.self, "9223372036854775808") == 0x1p63)
        #expect(try decode(Double.self, "1152921504606847000") == 0x1p60)  // as JavaScript writes 2**60
        #expect(try decode(Double.self, "-1152921504606847000") == -0x1p60)
        #expect(try decode(Double.self, "18446744073709552000") == 0x1p64)
        #expect(try decode(Float.self, "0.1") == 0.1)
        #expect(try decode(Float.self, "3.4028235e38") == .greatestFiniteMagnitude)
        #expect(try decode(Float.self, "1e-45") == .leastNonzeroMagnitude)
        #expect(try decode(Float.self, "16777216") == 16_777_216)
    }

    @Test("every error carries the path to the value")
    func paths() {
        struct Outer: Decodable {
            struct Inner: Decodable { var values: [[String: Int]] }
            var inner: Inner
        }
        func path(_ text: String) -> String { pathOfFailure { _ = try decode(Outer.self, text) } }
        #expect(path("[]") == "")
        #expect(path("{}") == "")
        #expect(path(#"{"inner":{}}"#) == "inner")
        #expect(path(#"{"inner":null}"#) == "inner")
        #expect(path(#"{"inner":{"values":3}}"#) == "inner.values")
        #expect(path(#"{"inner":{"values":[{},{"k":1},{"a":1,"b":"x"}]}}"#) == "inner.values.2.b")
        #expect(path(#"{"inner":{"values":[{"a":1.5}]}}"#) == "inner.values.0.a")
        #expect(pathOfFailure { _ = try decode([Int].self, "[1,null]") } == "1")
    }

    @Test("each fault has its kind of error, and a sentence")
    func errors() {
        func message(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "no error"
            } catch DecodingError.typeMismatch(let type, let context) {
                return "mismatch \(type): \(context.debugDescription)"
            } catch DecodingError.valueNotFound(let type, let context) {
                return "no value \(type): \(context.debugDescription)"
            } catch DecodingError.keyNotFound(let key, let context) {
                return "no key \(key.stringValue): \(context.debugDescription)"
            } catch DecodingError.dataCorrupted(let context) {
                return "corrupted: \(context.debugDescription)"
            } catch {
                return "\(error)"
            }
        }
        struct One: Decodable { var a: Int }
        #expect(message { _ = try decode(Int.self, "\"1\"") } == "mismatch Int: Expected a number, found a string.")
        #expect(message { _ = try decode(Bool.self, "1") } == "mismatch Bool: Expected a boolean, found a number.")
        #expect(message { _ = try decode(String.self, "[]") } == "mismatch String: Expected a string, found an array.")
        #expect(message { _ = try decode(String.self, "null") } == "no value String: Expected a string, found null.")
        #expect(message { _ = try decode(One.self, "{}") } == "no key a: The object has no member \"a\".")
        #expect(
            message { _ = try decode(Int8.self, "300") }
                == "corrupted: The number 300 does not fit Int8; nothing is rounded or cut.")
        #expect(message { _ = try decode([Int].self, "{}") }.hasPrefix("mismatch Array<Any>: Expected an array"))
        #expect(
            message { _ = try decode(One.self, "[]") }.hasPrefix("mismatch Dictionary<String, Any>: Expected an object")
        )
    }

    @Test("null is nil, and an absent member is nil")
    func optionals() throws {
        struct Some: Codable, Equatable {
            var a: Int?
            var b: String?
            var c: [Int?]?
        }
        #expect(try decode(Some.self, "{}") == Some())
        #expect(try decode(Some.self, #"{"a":null,"b":null,"c":null}"#) == Some())
        #expect(try decode(Some.self, #"{"a":1,"c":[null,2]}"#) == Some(a: 1, c: [nil, 2]))
        #expect(try decode(Int?.self, "null") == nil)
        #expect(try decode([String?].self, "[null]") == [nil])
        #expect(try text(Some(a: 1, c: [nil, 2])) == #"{"a":1,"c":[null,2]}"#)
        #expect(try text([Int?.none, 1]) == "[null,1]")
        #expect(try text(Int??.some(nil)) == "null")
        #expect(throws: DecodingError.self) { try decode(Some.self, #"{"a":"1"}"#) }
    }

    @Test("dictionaries of every kind of key are decoded and encoded")
    func dictionaries() throws {
        #expect(try decode([String: Int].self, #"{"a":1,"b\u0000":2}"#) == ["a": 1, "b\0": 2])
        #expect(try decode([Int: String].self, #"{"1":"a","-2":"b"}"#) == [1: "a", -2: "b"])
        #expect(try decode([Double: Int].self, "[1.5,1,2,2]") == [1.5: 1, 2: 2])
        #expect(try text([1: "a"]) == #"{"1":"a"}"#)
        #expect(try text(["k/": [1.5]]) == #"{"k/":[1.5]}"#)
        #expect(try text([1.5: true]) == "[1.5,true]")
        enum Key: String, Codable, CodingKeyRepresentable { case a, b }
        #expect(try text([Key.a: 1]) == #"{"a":1}"#)
        #expect(try decode([Key: Int].self, #"{"a":1,"b":2}"#) == [.a: 1, .b: 2])
        let big = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("key\($0)", $0) })
        #expect(try decode([String: Int].self, text(big)) == big)
    }

    @Test("a dictionary whose keys are two in JSON but one in Swift is an error, never a loss")
    func mergedKeys() throws {
        #expect(throws: DecodingError.self) { try decode([String: Int].self, #"{"\u00e9":1,"e\u0301":2}"#) }
        #expect(throws: DecodingError.self) { try decode([String: Int].self, "{\"\u{e9}\":1,\"e\u{301}\":2}") }
        #expect(throws: DecodingError.self) { try decode([[Int: Int]].self, #"[{"1":1,"01":2}]"#) }
        #expect(throws: DecodingError.self) { try decode([Int: Int]?.self, #"{"+1":1,"1":2}"#) }
        struct Direct: Decodable {
            init(from decoder: any Decoder) throws { _ = try [String: Int](from: decoder) }
        }
        #expect(throws: DecodingError.self) { try decode(Direct.self, "{\"\u{e9}\":1,\"e\u{301}\":2}") }
        #expect(try decode([String: Int].self, "{\"\u{e9}\":1,\"\u{e8}\":2}").count == 2)
        #expect(try decode(JSON.self, "{\"\u{e9}\":1,\"e\u{301}\":2}").objectValue?.count == 2)
    }

    @Test("a key is looked up by its Unicode scalars, NUL included")
    func keyLookup() throws {
        struct Named: Decodable {
            enum CodingKeys: String, CodingKey {
                case decomposed = "e\u{301}"
                case nul = "a\0b"
                case plain = "a"
            }
            var decomposed: Int?
            var nul: Int?
            var plain: Int?
        }
        let all = try decode(Named.self, #"{"a\u0000b":1,"a":2,"e\u0301":3}"#)
        #expect(all.nul == 1 && all.plain == 2 && all.decomposed == 3)
        let others = try decode(Named.self, #"{"a":2,"\u00e9":3}"#)
        #expect(others.nul == nil && others.plain == 2 && others.decomposed == nil)
    }

    @Test("containers can be nested, walked and kept by hand")
    func containers() throws {
        struct Walk: Decodable {
            init(from decoder: any Decoder) throws {
                let top = try decoder.container(keyedBy: AnyKey.self)
                #expect(top.allKeys.map(\.stringValue) == ["a", "b", "super", "n"])
                #expect(top.contains("a") && !top.contains("z"))
                #expect(try top.decodeNil(forKey: "n"))
                #expect(throws: DecodingError.self) { try top.decodeNil(forKey: "z") }
                var list = try top.nestedUnkeyedContainer(forKey: "a")
                #expect(list.count == 5)
                #expect(try list.decode(Int.self) == 1)
                #expect(try !list.decodeNil())
                #expect(throws: DecodingError.self) { try list.decode(Int.self) }
                #expect(list.currentIndex == 1)
                #expect(try list.decode(String.self) == "two")
                #expect(try list.decodeNil())
                let inner = try list.nestedContainer(keyedBy: AnyKey.self)
                #expect(try inner.decode(Bool.self, forKey: "x"))
                #expect(inner.codingPath.map(\.stringValue) == ["a", "Index 3"])
                var deep = try list.nestedUnkeyedContainer()
                #expect(deep.isAtEnd)
                #expect(throws: DecodingError.self) { try deep.decode(Int.self) }
                #expect(throws: DecodingError.self) { try deep.superDecoder() }
                #expect(throws: DecodingError.self) { try deep.decodeNil() }
                #expect(try deep.decodeIfPresent(Int.self) == nil)
                #expect(list.isAtEnd)
                let b = try top.nestedContainer(keyedBy: AnyKey.self, forKey: "b")
                #expect(try b.decode(Double.self, forKey: "y") == 2)
                #expect(try Int(from: top.superDecoder()) == 9)
                let decoder = try top.superDecoder(forKey: "b")
                #expect(decoder.codingPath.map(\.stringValue) == ["b"])
                #expect(try [String: Int](from: decoder) == ["y": 2])
            }
        }
        _ = try decode(Walk.self, #"{"a":[1,"two",null,{"x":true},[]],"b":{"y":2},"super":9,"n":null}"#)
    }

    @Test("a decoder that is kept outlives the caller's document")
    func keptDecoder() throws {
        struct Keeper: Decodable {
            let decoder: any Decoder
            init(from decoder: any Decoder) throws { self.decoder = decoder }
        }
        let keeper = try JSONDocument("{\"a\":[1,2,3]}").decode(Keeper.self)
        #expect(try [String: [Int]](from: keeper.decoder) == ["a": [1, 2, 3]])
        #expect(try JSON(from: keeper.decoder) == ["a": [1, 2, 3]])
    }

    @Test("a class and its superclass are decoded and encoded through the super coders")
    func inheritance() throws {
        let encoded = try text(Derived(base: 1, own: "o"))
        #expect(encoded == #"{"super":{"base":1},"own":"o"}"#)
        let decoded = try decode(Derived.self, encoded)
        #expect(decoded.base == 1 && decoded.own == "o")
    }

    @Test("512 levels of a recursive type are decoded and encoded")
    func deepTypes() throws {
        let nested = String(repeating: "{\"next\":", count: 511) + "{}" + String(repeating: "}", count: 511)
        let list = try decode(Link.self, nested)
        #expect(try text(list) == nested)
        #expect(throws: EncodingError.self) { try text(Link(next: list)) }
        let tree = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
        #expect(try text(decode(Tree.self, tree)) == tree)
    }
}
