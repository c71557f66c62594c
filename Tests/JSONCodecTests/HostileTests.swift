import JSONCodec
import Testing

/// Texts of somebody who means no good, and types that use their coders oddly.
@Suite("Odd decoding and encoding")
struct HostileTests {
    @Test("members that are read in the reverse order, or are missing, take no quadratic time")
    func reverseOrder() throws {
        struct Reversed: Decodable {
            let sum: Int
            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: AnyKey.self)
                var sum = 0
                for key in container.allKeys.reversed() {
                    sum += try container.decode(Int.self, forKey: key)
                    if container.contains(AnyKey(stringValue: key.stringValue + "?")) { sum += 1 }
                }
                self.sum = sum
            }
        }
        let count = 50_000
        let members = (0..<count).map { "\"key \($0)\":\($0)" }.joined(separator: ",")
        let one = "{\(members)}"
        let clock = ContinuousClock()
        let start = clock.now
        let sums = try decode([Reversed].self, "[\(one),\(one)]").map(\.sum)
        #expect(sums == [count * (count - 1) / 2, count * (count - 1) / 2])
        // One by one it is ten thousand million comparisons.
        #expect(clock.now - start < .seconds(60))
    }

    @Test("each of many objects, read in turns and in any order, answers with its own members")
    func ownMembers() throws {
        struct Turns: Decodable {
            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                var objects: [KeyedDecodingContainer<AnyKey>] = []
                while !list.isAtEnd { objects.append(try list.nestedContainer(keyedBy: AnyKey.self)) }
                var random = SeededGenerator(seed: 7)
                for _ in 0..<20_000 {
                    let object = Int.random(in: 0..<objects.count, using: &random)
                    let member = Int.random(in: 0..<42, using: &random)
                    let key = AnyKey(stringValue: "k\(member)")
                    let value = try objects[object].decodeIfPresent(Int.self, forKey: key)
                    #expect(value == (member < 40 ? 100 * object + member : nil))
                    let inner = try objects[object].nestedContainer(keyedBy: AnyKey.self, forKey: "in")
                    #expect(try inner.decode(Int.self, forKey: "k0") == -object)
                }
            }
        }
        let objects = (0..<5).map { object in
            let members = (0..<40).map { "\"k\($0)\":\(100 * object + $0)" }.joined(separator: ",")
            return "{\(members),\"in\":{\"k0\":\(-object)}}"
        }
        _ = try decode(Turns.self, "[\(objects.joined(separator: ","))]")
    }

    @Test("a container that is kept, of any of many types of keys, still reads its own object after the end")
    func keptContainers() throws {
        enum Second: CodingKey { case a, b }
        struct Kept: Decodable {
            enum First: CodingKey { case a, b }
            let first: KeyedDecodingContainer<First>
            let second: KeyedDecodingContainer<Second>
            init(from decoder: any Decoder) throws {
                first = try decoder.container(keyedBy: First.self)
                second = try decoder.container(keyedBy: Second.self)
            }
        }
        let kept = try decode([Kept].self, "[\((0..<100).map { "{\"a\":\($0),\"b\":\(-$0)}" }.joined(separator: ","))]")
        for (index, containers) in kept.enumerated() {
            #expect(try containers.second.decode(Int.self, forKey: .b) == -index)
            #expect(try containers.first.decode(Int.self, forKey: .a) == index)
        }
    }

    @Test("more types of keys and elements than are remembered are decoded and encoded")
    func manyTypes() throws {
        struct Box<Content: Codable & Equatable>: Codable, Equatable {
            var content: [Content]
        }
        typealias Two<T: Codable & Equatable> = Box<Box<T>>
        typealias Eight<T: Codable & Equatable> = Two<Two<Two<Two<T>>>>
        func box<T>(_ content: T) -> Box<T> { Box(content: [content, content]) }
        let value = box(box(box(box(box(box(box(box(box(box(1))))))))))
        let encoded = try text(value)
        #expect(try decode(type(of: value), encoded) == value)
        #expect(try decode(Eight<JSON>.self, #"{"content":[]}"#) == Eight<JSON>(content: []))
    }

    @Test("an array of values that are much longer than their text is decoded, or fails with its path")
    func largeElements() throws {
        struct Large: Codable, Equatable {
            var optionals: [Int: Int]?
            var a: String?, b: String?, c: String?, d: String?, e: String?, f: String?, g: String?, h: String?
            var i: String?, j: String?, k: String?, l: String?, m: String?, n: String?, o: String?, p: String?
        }
        #expect(try decode([Large].self, "[{},{},{\"p\":\"\"}]") == [Large(), Large(), Large(p: "")])
        let numbers = String(repeating: "{},", count: 100_000) + "1"
        #expect(pathOfFailure { _ = try decode([Large].self, "[\(numbers)]") } == "100000")
        #expect(pathOfFailure { _ = try decode([[String: [Large]]].self, "[{},{\"x\":[{\"a\":1}]}]") } == "1.x.0.a")
    }

    @Test("a wide integer where there is an object or array is an error, not an endless recursion")
    func wideIntegers() throws {
        guard #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) else { return }
        for text in ["{}", "[]", "[1]", "\"1\"", "null", "true"] {
            #expect(throws: DecodingError.self) { try decode(Int128.self, text) }
            #expect(throws: DecodingError.self) { try decode(UInt128.self, text) }
            #expect(throws: DecodingError.self) { try decode([Int128].self, "[\(text)]") }
        }
    }

    @Test("of keys that share a beginning, an end and a length none is taken for another")
    func similarKeys() throws {
        var keys = [""]
        for length in 1...40 {
            let same = String(repeating: "k", count: length)
            keys.append(same)
            for position in [0, length / 2, length - 1] {
                for other in ["a", "\"", "\n", "\u{e9}"] {
                    var scalars = Array(same.unicodeScalars)
                    scalars[position] = other.unicodeScalars[other.unicodeScalars.startIndex]
                    keys.append(scalars.map { String($0) }.joined())
                }
            }
        }
        keys = Array(Set(keys)).sorted()
        for first in stride(from: 0, to: keys.count, by: 15) {
            let some = keys[first..<min(first + 15, keys.count)]
            let encoded = try text(Written(keys: Array(some)))
            #expect(try JSON(parsing: encoded).objectValue?.keys == Array(some))
            for key in some {
                #expect(throws: EncodingError.self, "\(key.debugDescription)") {
                    try text(Written(keys: some + [key]))
                }
                let member = String(try text([key: 1]).dropFirst().dropLast())
                let twice = String(encoded.dropLast()) + "," + member + "}"
                #expect(code(parsing: twice) == .duplicateKey, "\(key.debugDescription)")
            }
        }
    }

    @Test("a class is decoded as the subclass that is asked for")
    func subclasses() throws {
        let type: Animal.Type = Dog.self
        #expect(try decode(type, "{\"name\":\"a\"}") is Dog)
        #expect(try decode(Animal.self, "{\"name\":\"a\"}") is Dog == false)
        struct Kennel: Decodable {
            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                #expect(try list.decode(Dog.self as Animal.Type) is Dog)
            }
        }
        _ = try decode(Kennel.self, "[{\"name\":\"a\"}]")
    }

    @Test("a type of keys that is a class is not taken for its subclass")
    func classesOfKeys() throws {
        struct Both: Codable {
            init() {}

            init(from decoder: any Decoder) throws {
                for _ in 0..<4 {
                    let name = try decoder.container(keyedBy: NameKey.self as ClassKey.Type)
                    let keyed = try decoder.container(keyedBy: NameKey.self)
                    #expect(try name.decode(Int.self, forKey: ClassKey(stringValue: "a")!) == 1)
                    #expect(try keyed.decode(Int.self, forKey: NameKey(stringValue: "b")!) == 2)
                    #expect(keyed.allKeys.allSatisfy { Swift.type(of: $0) == NameKey.self })
                }
            }

            func encode(to encoder: any Encoder) throws {
                for index in 0..<4 {
                    var name = encoder.container(keyedBy: NameKey.self as ClassKey.Type)
                    try name.encode(1, forKey: ClassKey(stringValue: "c\(index)")!)
                    var keyed = encoder.container(keyedBy: NameKey.self)
                    try keyed.encode(2, forKey: NameKey(stringValue: "n\(index)")!)
                }
            }
        }
        _ = try decode([Both].self, "[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2}]")
        let one = "{\"c0\":1,\"n0\":2,\"c1\":1,\"n1\":2,\"c2\":1,\"n2\":2,\"c3\":1,\"n3\":2}"
        #expect(try text([Both(), Both()]) == "[\(one),\(one)]")
    }

    @Test("a hundred million brackets, and a number of ten million digits, are judged at once")
    func longTexts() throws {
        let clock = ContinuousClock()
        let start = clock.now
        #expect(code(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 100_000_000)) == .tooDeep)
        let digits = String(repeating: "1", count: 10_000_000)
        #expect(code(parsing: digits) == .numberOutOfRange)
        _ = code(parsing: "0.\(digits)")
        _ = code(parsing: "[0.\(digits)e-5]")
        _ = code(parsing: "1e\(digits)")
        #expect(clock.now - start < .seconds(60))
    }
}

private struct Written: Encodable {
    let keys: [String]

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: AnyKey.self)
        for (index, key) in keys.enumerated() { try container.encode(index, forKey: AnyKey(stringValue: key)) }
    }
}

private class Animal: Decodable {
    let name: String
}

private final class Dog: Animal {}

/// `@unchecked Sendable`: neither class has a variable.
private class ClassKey: CodingKey, @unchecked Sendable {
    let stringValue: String
    var intValue: Int? { nil }
    required init?(stringValue: String) { self.stringValue = stringValue }
    required init?(intValue: Int) { nil }
}

private final class NameKey: ClassKey, @unchecked Sendable {
    let length: Int
    required init?(stringValue: String) {
        length = stringValue.count
        super.init(stringValue: stringValue)
    }
    required init?(intValue: Int) { nil }
}
