import Fork
import Foundation
import Reactor
import Testing

@Suite("Values: clause 8")
struct ValueTests {
    /// Sends values to a child that sends them back, and returns what came.
    private func echoed(_ values: [JSON]) async throws -> [JSON] {
        let child = try Fixture.fork("echo")
        let recorder = Recorder(child)
        for value in values { try child.enqueue(value) }
        child.disconnect()
        try await closed(child)
        #expect(recorder.errors == [])
        return recorder.messages
    }

    @Test("8: values at the edges come back as they were sent")
    func edges() async throws {
        let values: [JSON] = [
            .null, true, false, 0, .integer(.min), .integer(.max), .unsigned(.max), 0.1, 1e308,
            .double(.leastNonzeroMagnitude), -0.0,
            .double(.greatestFiniteMagnitude), "", "\0", "a\0b", "\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}", "é", "e\u{301}",
            "👩‍👩‍👧‍👦", "\u{2028}\u{2029}", "\u{10ffff}", "\u{fffe}", [], [:], ["": ""], ["a\0": 1, "a": 2],
            ["é": 1, "e\u{301}": 2], [[[[[]]]]], ["z": 1, "a": [true, nil, ["k": -1.5]]],
        ]
        let answers = try await echoed(values)
        #expect(answers == values)
        for (answer, value) in zip(answers, values) { #expect("\(answer)" == "\(value)") }
    }

    @Test("8: random doubles come back bit by bit")
    func doubles() async throws {
        var generator = SystemRandomNumberGenerator()
        let values = (0..<2000).compactMap { _ -> Double? in
            let value = Double(bitPattern: generator.next())
            return value.isFinite ? value : nil
        }
        let answers = try await echoed([.array(values.map { .double($0) })])
        let came = try answers[0].decode([Double].self)
        #expect(came.map(\.bitPattern) == values.map(\.bitPattern))
    }

    struct Everything: Codable, Equatable {
        enum Shape: Codable, Equatable {
            case circle(radius: Double)
            case none
        }

        var text: String
        var numbers: [UInt64]
        var maybe: Int?
        var table: [String: Bool]
        var shape: [Shape]
        var nested: [[Int8]]
    }

    @Test("8: a Codable value comes back equal")
    func codable() async throws {
        let value = Everything(
            text: "ünïcode \u{1F600}", numbers: [0, .max], maybe: nil, table: ["yes": true, "no": false],
            shape: [.circle(radius: 0.1), .none], nested: [[], [-128, 127]])
        let child = try Fixture.fork("echo")
        try await child.send(value)
        var answers = child.messages(of: Everything.self).makeAsyncIterator()
        let answer = try await answers.next()
        #expect(answer == value)
        child.kill(.kill)
    }

    @Test(
        "8: bytes come back as they were sent, of any length", arguments: [0, 1, 7, 16_384, 16_385, 1 << 20, 5_000_001])
    func bytes(_ count: Int) async throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let child = try Fixture.fork("echo")
        try await child.send(bytes: bytes)
        var answers = child.messages.makeAsyncIterator()
        let answer = await answers.next()
        #expect(answer?.bytes == bytes)
        #expect(answer?.json == .null)
        #expect(throws: DecodingError.self) { try answer?.decode(Int.self) }
        child.kill(.kill)
    }

    @Test("8: bytes that are taken for a value, in whichever way, are an error that names `bytes` and the type")
    func bytesAsValues() async throws {
        let child = try Fixture.fork("echo")
        let expected = "The message is 3 bytes and no JSON, so it is no Everything; use `bytes`."
        let texts = Locked<[String]>([])
        child.onError { error in texts.withLock { $0.append(error.message) } }
        child.onMessage(of: Everything.self) { _ in }
        var values = child.messages(of: Everything.self).makeAsyncIterator()
        try await child.send(bytes: [1, 2, 3])
        do {
            _ = try await values.next()
            Issue.record("bytes were decoded")
        } catch DecodingError.typeMismatch(let type, let context) {
            #expect(type == Everything.self && context.debugDescription == expected)
        }
        child.disconnect()
        try await closed(child)
        #expect(texts.withLock { $0 } == ["A message does not fit its handler: DecodingError: \(expected)"])
    }

    @Test("8: a message that does not fit a type is an error with the type and the beginning of the message")
    func misfits() async throws {
        let child = try Fixture.fork("echo")
        let messages: [(JSON, String)] = [
            (["text": 1], #"{"text":1}"#), ([1, [true, nil], "x\n"], #"[1,[true,null],"x\n"]"#), ("s", #""s""#),
            (.string(String(repeating: "ü", count: 1_000_000)), "\"" + String(repeating: "ü", count: 59) + "…"),
            (.array(Array(repeating: [:], count: 100_000)), "[" + String(repeating: "{},", count: 19) + "{}…"),
        ]
        var values = child.messages(of: Everything.self).makeAsyncIterator()
        for (message, beginning) in messages {
            try child.enqueue(message)
            do {
                _ = try await values.next()
                Issue.record("\(beginning) was decoded")
            } catch let error as DecodingError {
                let text =
                    switch error {
                    case .typeMismatch(_, let context), .valueNotFound(_, let context): context.debugDescription
                    default: "\(error)"
                    }
                #expect(text.hasPrefix("The message \(beginning) is no Everything: Expected "), "\(text)")
            }
        }
        child.kill(.kill)
    }

    final class Endless: Encodable {
        func encode(to encoder: any Encoder) throws {
            var container = encoder.unkeyedContainer()
            try container.encode(self)
        }
    }

    struct Twice: Encodable {
        enum Key: String, CodingKey { case same }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(1, forKey: .same)
            try container.encode(2, forKey: .same)
        }
    }

    @Test("8: a value that has no JSON form throws before a byte is written, and the channel goes on")
    func notEncodable() async throws {
        let child = try Fixture.fork("echo")
        let values: [any Encodable & Sendable] = [Double.nan, [Double.infinity], ["a": -Float.infinity], Twice()]
        for value in values {
            let error = #expect(throws: ForkError.self) { try child.enqueue(value) }
            #expect(error?.code == .notEncodable)
        }
        let error = #expect(throws: ForkError.self) { try child.enqueue(Endless()) }
        #expect(error?.code == .notEncodable)
        try await child.send("still here")
        var answers = child.messages.makeAsyncIterator()
        let answer = await answers.next()
        #expect(answer?.json == "still here")
        child.kill(.kill)
    }

    @Test("8: no error shows a message that was not sent, and of one that was not what was wanted only the beginning")
    func textsOfErrors() async throws {
        let secret = JSON.string(String(repeating: "secret ", count: 1_000_000))
        var deep = secret
        for _ in 0..<600 { deep = [deep] }
        let child = try Fixture.fork("echo")
        let refused = #expect(throws: ForkError.self) { try child.enqueue(deep) }
        let reason = "EncodingError: Arrays and objects would be nested deeper than 512 levels."
        #expect(refused?.description == "The value can't be encoded as JSON: \(reason) (notEncodable)")
        let texts = Locked<[String]>([])
        child.onError { error in texts.withLock { $0.append(error.description) } }
        child.onMessage { message in _ = try message.decode([String: Int].self) }
        try child.enqueue(JSON.object(["\u{1B}[2J" + String(repeating: "k", count: 1_000_000): secret]))
        child.disconnect()
        try await closed(child)
        let key = #"\u{1B}[2J"# + String(repeating: "k", count: 31)
        let beginning = #"{"\u{1B}[2J"# + String(repeating: "k", count: 49)
        let what = "The message \(beginning)… is no Dictionary<String, Int>: Expected a number, found a string."
        let found = "DecodingError at .\(key)…: \(what)"
        #expect(texts.withLock { $0 } == ["A handler threw: \(found) (handlerFailed)"])
    }
}
