import JSONCodec
import Testing

@Suite("The JSON value")
struct ValueTests {
    @Test("literals make every kind")
    func literals() {
        let json: JSON = [
            "null": nil, "bool": true, "int": -3, "double": 1.5, "string": "s", "array": [1, "two", [:]],
        ]
        #expect(
            json.description == #"{"null":null,"bool":true,"int":-3,"double":1.5,"string":"s","array":[1,"two",{}]}"#)
        #expect(json["null"]?.isNull == true)
        #expect(json["bool"]?.boolValue == true)
        #expect(json["int"]?.integerValue == -3)
        #expect(json["double"]?.doubleValue == 1.5)
        #expect(json["string"]?.stringValue == "s")
        #expect(json["array"]?[1] == "two")
        #expect(json["array"]?.arrayValue?.count == 3)
        #expect(json["none"] == nil)
    }

    @Test("numbers are equal, and hash alike, when they denote the same number")
    func numbers() {
        let equal: [(JSON, JSON)] = [
            (1, 1.0), (0, -0.0), (.unsigned(5), 5), (.unsigned(1 << 63), .double(0x1p63)),
            (.integer(.min), .double(-0x1p63)),
        ]
        for (left, right) in equal {
            #expect(left == right)
            #expect(right == left)
            #expect(left.hashValue == right.hashValue)
        }
        let different: [(JSON, JSON)] = [
            (.integer(.max), .double(0x1p63)), (.integer((1 << 53) + 1), .double(0x1p53)),
            (.unsigned(.max), .double(0x1p64)),
            (.unsigned(.max), -1), (1, 1.5), (1, true), (0, nil), (1, "1"), (.double(.nan), .double(.nan)),
        ]
        for (left, right) in different {
            #expect(left != right)
            #expect(right != left)
        }
        #expect(Set<JSON>([1, 1.0, .unsigned(1), 2]).count == 2)
    }

    @Test("strings and keys are compared by their Unicode scalars")
    func scalars() {
        let composed: JSON = "\u{e9}"
        let decomposed: JSON = "e\u{301}"
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        let object: JSON = ["\u{e9}": 1, "e\u{301}": 2]
        #expect(object.objectValue?.count == 2)
        #expect(object["\u{e9}"] == 1)
        #expect(object["e\u{301}"] == 2)
        #expect(object != ["\u{e9}": 2, "e\u{301}": 1])
    }

    @Test("members keep their order, and equality ignores it")
    func order() throws {
        let keys = (0..<100).map { "k\($0 * 7919 % 100)" }
        let source = "{" + keys.map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        let json = try JSON(parsing: source)
        #expect(json.objectValue?.keys == keys)
        #expect(json.description == source)
        let reversed = try JSON(parsing: "{" + keys.reversed().map { "\"\($0)\":0" }.joined(separator: ",") + "}")
        #expect(json == reversed)
        #expect(json.hashValue == reversed.hashValue)
        #expect(reversed.objectValue?.keys != keys)
    }

    @Test("an object is a collection that is read and written by key")
    func object() {
        var object: JSON.Object = ["b": 1, "a": 2]
        object["c"] = 3
        object["b"] = 4
        object["a"] = nil
        #expect(object.map(\.key) == ["b", "c"])
        #expect(object.values == [4, 3])
        #expect(object[1].value == 3)
        #expect(object.last?.key == "c")
        object["n"] = .null
        #expect(object["n"] == .some(.null))
        #expect(object.description == #"{"b":4,"c":3,"n":null}"#)
        #expect(JSON.Object().isEmpty)
    }

    @Test("an object finds its members while it grows and shrinks")
    func manyMembers() {
        var object = JSON.Object()
        for count in 1...40 {
            object["k\(count)"] = .integer(Int64(count))
            object["k1"] = .integer(Int64(-count))
            #expect(object.count == count)
            #expect((2...40).allSatisfy { object["k\($0)"] == ($0 <= count ? .integer(Int64($0)) : nil) })
        }
        let copy = object
        for count in 1...39 {
            object["k\(count)"] = nil
            object["absent"] = nil
            #expect(object.keys == (count + 1...40).map { "k\($0)" })
            #expect((1...40).allSatisfy { object["k\($0)"] == ($0 > count ? .integer(Int64($0)) : nil) })
        }
        #expect(copy.count == 40 && copy["k1"] == -40 && copy["k40"] == 40)
    }

    @Test("a literal that has a key twice keeps both members, and can't be encoded")
    func repeatedKeys() throws {
        let json: JSON = ["a": 1, "b": 2, "a": 3]
        #expect(json.objectValue?.keys == ["a", "b", "a"])
        #expect(json["a"] == 1)
        #expect(json.description == #"{"a":1,"b":2,"a":3}"#)
        func message(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "nothing"
            } catch EncodingError.invalidValue(_, let context) {
                return context.codingPath.map(\.stringValue).joined(separator: ".") + ": " + context.debugDescription
            } catch {
                return "\(error)"
            }
        }
        let repeated = "a: The object has the key \"a\" twice; give each member a key of its own."
        #expect(message { _ = try text(json) } == repeated)
        #expect(message { _ = try text([1, [json]] as JSON) } == repeated)
        #expect(message { _ = try text(["x": [json]]) } == "x.Index 0." + repeated)
        #expect(message { _ = try text(json.objectValue) } == repeated)
        #expect(message { _ = try JSON(encoding: json) } == repeated)
        #expect(message { _ = try json.decode([String: Int].self) } == repeated)
        #expect(message { _ = try text(["a": 1, "a": 1] as JSON.Object) } == repeated)
    }

    @Test("an object with a key twice equals those that have the same members, and no others")
    func repeatedKeysAndEquality() {
        let json: JSON = ["a": 1, "b": 2, "a": 3]
        let reordered: JSON = ["b": 2, "a": 1, "a": 3]
        #expect(json == reordered && json.hashValue == reordered.hashValue)
        let others: [JSON] = [
            ["a": 3, "b": 2, "a": 1], ["a": 1, "b": 2], ["a": 1, "b": 2, "c": 3], ["a": 1, "b": 2, "b": 3],
            ["a": 1, "b": 2, "a": 1],
        ]
        for other in others { #expect(json != other && other != json) }
        #expect(["a": 1, "a": 1] as JSON != ["a": 1, "b": 1])
        #expect(["a": 1, "b": 1] as JSON != ["a": 1, "a": 1])
    }

    @Test("setting a key that a literal has twice leaves one member", arguments: [0, 40])
    func repairedKeys(count: Int) throws {
        var object: JSON.Object = ["a": 1, "b": 2, "a": 3, "b": 4, "a": 5]
        for index in 0..<count { object["k\(index)"] = 0 }
        object["a"] = 6
        #expect(object.keys.prefix(3) == ["a", "b", "b"] && object["a"] == 6)
        #expect(throws: EncodingError.self) { try text(object) }
        object["b"] = nil
        #expect(object.first?.key == "a" && object["b"] == nil && object.count == 1 + count)
        #expect(try JSON(encoding: object) == .object(object))
        #expect((0..<count).allSatisfy { object["k\($0)"] == 0 })
    }

    @Test("subscripts never trap")
    func subscripts() {
        var json: JSON = [1, 2]
        #expect(json[-1] == nil && json[2] == nil && json["a"] == nil)
        #expect(JSON.null[0] == nil && JSON("s")["a"] == nil)
        json[5] = 1
        json[-1] = 1
        json["a"] = 1
        #expect(json == [1, 2])
        json[2] = 3
        json[0] = "first"
        #expect(json == ["first", 2, 3])
        json[1] = nil
        json[7] = nil
        json[2] = nil
        #expect(json == ["first", 3])
        var null = JSON.null
        null["gone"] = nil
        #expect(null.isNull)
        null["a"] = 1
        null["b"] = .null
        #expect(null == ["a": 1, "b": nil])
        null["a"] = nil
        #expect(null == ["b": nil])
        null["b"]?["deep"] = true
        #expect(null == ["b": ["deep": true]])
    }

    @Test("accessors answer only where nothing is lost")
    func accessors() {
        #expect(JSON(3.0).integerValue == 3)
        #expect(JSON(3.5).integerValue == nil)
        #expect(JSON.unsigned(.max).integerValue == nil)
        #expect(JSON.integer(1 << 53).doubleValue == 0x1p53)
        #expect(JSON.integer((1 << 53) + 1).doubleValue == nil)
        #expect(JSON.integer(1_152_921_504_606_847_000).doubleValue == 0x1p60)
        #expect(JSON("1").integerValue == nil)
        #expect(JSON(true).integerValue == nil)
        #expect(JSON(1).boolValue == nil)
    }

    @Test("NaN is described readably and cannot be encoded")
    func nonFinite() {
        #expect(JSON.array([.double(.nan), .double(.infinity), .double(-.infinity)]).description == "[nan,inf,-inf]")
        #expect(throws: EncodingError.self) { try text(JSON.array([.double(.nan)])) }
        #expect(throws: EncodingError.self) { try JSON.double(.infinity).decode(Double.self) }
    }

    @Test("a value converts to JSON and back")
    func conversion() throws {
        struct Point: Codable, Equatable {
            var x: Int
            var name: String?
        }
        let json = try JSON(encoding: [Point(x: 1, name: "a"), Point(x: 2)])
        #expect(json == [["x": 1, "name": "a"], ["x": 2]])
        #expect(try json.decode([Point].self) == [Point(x: 1, name: "a"), Point(x: 2)])
        #expect(try json.decode(JSON.self) == json)
        let object = try json[0]?.decode(JSON.Object.self)
        #expect(object?.keys == ["x", "name"])
        #expect(try JSON(encoding: object) == json[0])
        #expect(throws: DecodingError.self) { try json.decode(JSON.Object.self) }
    }
}
