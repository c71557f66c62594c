import Foundation
import JSONCodec
import Testing

@Suite("Round trips")
struct RoundTripTests {
    @Test("100 000 random doubles come back with the same bits, in their shortest form")
    func doubles() throws {
        var generator = JSONGenerator(seed: 1)
        var doubles = (0..<100_000).map { _ in generator.double() }
        doubles += [
            .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, -0.0, 0,
        ]
        doubles += [0x1p53, 0x1p63, 0x1p64, 1e15, 1e16, 1e17, 123_456_789_012_345_680, 0.1, 1e-5, 5e-5]
        doubles += (0..<1000).map { _ in Double(bitPattern: generator.random.next() & 0x000F_FFFF_FFFF_FFFF) }
        let encoded = try text(doubles)
        #expect(encoded == "[" + doubles.map(\.description).joined(separator: ",") + "]")
        let document = try JSONDocument(encoded)
        #expect(try document.decode([Double].self).map(\.bitPattern) == doubles.map(\.bitPattern))
        #expect(try #require(document.json.arrayValue).map { $0.doubleValue?.bitPattern } == doubles.map(\.bitPattern))
    }

    @Test("doubles of few decimals are written as Swift describes them")
    func shortDoubles() throws {
        var random = SeededGenerator(seed: 9)
        var doubles = [
            0.001, -0.001, 0.0005, 1e12, 1e12 - 0.001, 1e15, 999_999_999_999.999, 1e-300, 0.1 + 0.2, 1e14 / 3,
        ]
        for decimals in [1.0, 2, 4, 5, 8, 10, 100, 1000, 10_000] {
            for magnitude in [1e2, 1e6, 1e11, 1e15, 1e17] {
                for _ in 0..<300 {
                    let double =
                        (Double.random(in: -magnitude...magnitude, using: &random) * decimals).rounded() / decimals
                    doubles += [double, double.nextUp, double.nextDown]
                }
            }
        }
        #expect(try text(doubles) == "[" + doubles.map(\.description).joined(separator: ",") + "]")
        #expect(JSON.array(doubles.map { .double($0) }).description == "\(doubles)".filter { $0 != " " })
    }

    @Test("random floats come back with the same bits")
    func floats() throws {
        var random = SeededGenerator(seed: 2)
        let floats = (0..<20_000).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
            .filter(\.isFinite)
        #expect(try decode([Float].self, text(floats)).map(\.bitPattern) == floats.map(\.bitPattern))
    }

    @Test("integers come back exactly, at every power of two and ten")
    func integers() throws {
        var signed: [Int64] = [0, .min, .max]
        var unsigned: [UInt64] = [0, .max]
        for shift in 0..<63 {
            let power = Int64(1) << shift
            signed += [power, power - 1, power + 1, -power, -power - 1]
        }
        var ten: UInt64 = 1
        for _ in 0..<19 {
            unsigned += [ten - 1, ten, ten + 1]
            ten *= 10
        }
        for shift in 0..<64 { unsigned += [UInt64(1) << shift, UInt64.max >> shift] }
        #expect(try decode([Int64].self, text(signed)) == signed)
        #expect(try decode([UInt64].self, text(unsigned)) == unsigned)
        #expect(try JSON(parsing: text(unsigned)) == .array(unsigned.map { .unsigned($0) }))
    }

    @Test("random values come back equal, from compact and from loose text")
    func values() throws {
        var generator = JSONGenerator(seed: 3)
        for _ in 0..<3000 {
            let json = generator.value()
            let compact = try text(json)
            #expect(compact == json.description)
            #expect(try JSONDocument(compact).json == json)
            #expect(try JSONDocument(compact).json.description == compact)
            #expect(try JSONDocument(generator.looseText(json)).json == json)
            #expect(try json.decode(JSON.self) == json)
        }
    }

    @Test("JSON goes through another library's coders unchanged")
    func otherCoders() throws {
        let json: JSON = ["a": [1, -1, 1.5, true, nil, "s"], "b": [:], "u": .unsigned(.max), "e": []]
        let data = try JSONEncoder().encode(json)
        #expect(try JSON(parsing: String(decoding: data, as: UTF8.self)) == json)
        #expect(try JSONDecoder().decode(JSON.self, from: data) == json)
    }

    @Test("types of Foundation are coded by their own means")
    func foundationTypes() throws {
        let date = Date(timeIntervalSinceReferenceDate: 12345.678)
        #expect(try decode(Date.self, text(date)) == date)
        let data = Data([0, 1, 255])
        #expect(try text(data) == "[0,1,255]")
        #expect(try decode(Data.self, "[0,1,255]") == data)
        let id = UUID()
        #expect(try decode([UUID: Int].self, text([id: 1])) == [id: 1])
        let url = try #require(URL(string: "https://example.org/a?b"))
        #expect(try decode(URL.self, text(url)) == url)
        #expect(try decode(Decimal.self, text(Decimal(string: "1.25"))) == Decimal(string: "1.25"))
    }

    @Test("Foundation reads what is written here, and agrees on generated texts")
    func foundationAgrees() throws {
        var generator = JSONGenerator(seed: 4)
        generator.avoidsByteOrderMark = true
        for _ in 0..<1500 {
            let json = JSON.array([generator.value(), generator.value()])
            for text in [json.description, generator.looseText(json)] {
                let object = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
                #expect(try agrees(JSONDocument(text).json, object), "\(text)")
            }
        }
    }

    /// Foundation's dictionary merges canonically equivalent keys, so there the counts may differ.
    private func agrees(_ json: JSON, _ object: Any) -> Bool {
        switch json {
        case .null: object is NSNull
        case .bool(let bool): (object as? Bool) == bool
        case .integer(let integer): (object as? NSNumber)?.int64Value == integer
        case .unsigned(let unsigned): (object as? NSNumber)?.uint64Value == unsigned
        case .double(let double): Double("\(object)") == double  // it may be a Decimal, which rounds in doubleValue
        case .string(let string): (object as? String).map { Array($0.utf8) == Array(string.utf8) } ?? false
        case .array(let elements):
            if let others = object as? [Any] {
                others.count == elements.count && zip(elements, others).allSatisfy { agrees($0, $1) }
            } else {
                false
            }
        case .object(let members):
            if let others = object as? [String: Any] {
                Set(members.keys).count == others.count
                    && (others.count < members.count
                        || members.allSatisfy { member in
                            others[member.key].map { agrees(member.value, $0) } ?? false
                        })
            } else {
                false
            }
        }
    }

    @Test("mutated texts never trap, and what is accepted comes back equal")
    func mutations() throws {
        var generator = JSONGenerator(seed: 5)
        let interesting =
            Array(#"{}[]",:\u0ed8-+.e129tfn/ "#.utf8) + [0, 0x1F, 0x7F, 0x80, 0xC0, 0xC3, 0xED, 0xF4, 0xFF]
        var accepted = 0
        for _ in 0..<3000 {
            let original = Array(generator.looseText(generator.value()).utf8)
            for _ in 0..<10 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...3, using: &generator.random) {
                    let place = Int.random(in: 0...bytes.count, using: &generator.random)
                    let byte = interesting.randomElement(using: &generator.random)!
                    switch Int.random(in: 0..<4, using: &generator.random) {
                    case 0: bytes.insert(byte, at: place)
                    case 1 where place < bytes.count: bytes.remove(at: place)
                    case 2: bytes.removeSubrange(place...)
                    default: if place < bytes.count { bytes[place] = byte }
                    }
                }
                do {
                    let document = try JSONDocument(bytes)
                    accepted += 1
                    let json = document.json
                    let encoded = try text(json)
                    #expect(try JSONDocument(encoded).json == json)
                    _ = try? document.decode([String: [Int]].self)
                    let foundation = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
                    #expect(foundation != nil, "Foundation refuses \(String(decoding: bytes, as: UTF8.self))")
                } catch let error as JSONError {
                    #expect(error.code != .parserFailure, "\(error) for \(String(decoding: bytes, as: UTF8.self))")
                    #expect((0...bytes.count).contains(error.offset ?? 0))
                }
            }
        }
        #expect(accepted > 1000)
    }
}

@Suite("Many threads")
struct ConcurrencyTests {
    @Test("eight threads read one document at once")
    func readers() async throws {
        let values = (0..<200).map { ["k\($0)": [Double($0), 0.5], "é\0": [1, 2]] }
        let document = try JSONDocument(text(values))
        let json = document.json
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<5 {
                        guard try document.decode([[String: [Double]]].self) == values, document.json == json,
                            try text(document.json) == text(json)
                        else { return false }
                    }
                    return true
                }
            }
            for try await isEqual in group { #expect(isEqual) }
        }
    }

    @Test("threads parse and release their own documents at once")
    func parsers() async throws {
        var generator = JSONGenerator(seed: 6)
        let texts = (0..<100).map { _ in generator.looseText(generator.value()) }
        let expected = try texts.map { try JSONDocument($0).json }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { try texts.map { try JSONDocument($0).json } == expected }
            }
            for try await isEqual in group { #expect(isEqual) }
        }
    }
}
