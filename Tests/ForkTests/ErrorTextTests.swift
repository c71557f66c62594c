import JSONCodec
import Testing
import Wire

@testable import Fork
@testable import Messaging

@Suite("The texts of errors")
struct ErrorTextTests {
    static let long = String(repeating: "secret \u{1B}[2J\n", count: 100_000)

    private func check(_ error: ForkError, _ beginning: String = "") {
        #expect(error.description.utf8.count < 1000)
        #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(error)")
        #expect(error.message.hasPrefix(beginning), "\(error)")
    }

    @Test("a value that can't be encoded does not stand in the error, and of its path only the ends")
    func notEncodable() {
        let path: [any CodingKey] = (0..<512).map { _ in Index() }
        let context = EncodingError.Context(codingPath: path, debugDescription: "It is too deep.")
        let error = ForkError(.notEncodable(EncodingError.invalidValue(Self.long, context)))
        check(error)
        let place = "EncodingError at [0][0][0]…[0][0]"
        #expect(error.message == "The value can't be encoded as JSON: \(place): It is too deep.")
        #expect(error.cause is EncodingError)
    }

    @Test("what a handler throws is told within bounds, whatever it holds and wherever it was thrown")
    func thrownByHandlers() throws {
        struct Own: Error { let text = ErrorTextTests.long }
        check(ForkError(.handlerFailed, "A handler threw: \(ForkError.describe(Own()))"), "A handler threw: Own(text: ")
        let message = JSON.object([Self.long: .array([["name": .string(Self.long)]])])
        let decoding = #expect(throws: DecodingError.self) { try message.decode([String: [[String: Int]]].self) }
        let text = ForkError.describe(try #require(decoding))
        check(ForkError(.handlerFailed, text), #"DecodingError at .secret \u{1B}[2J\nsecret"#)
        #expect(text.hasSuffix("…[0].name: Expected a number, found a string."), "\(text)")
        let missing = #expect(throws: DecodingError.self) { try JSON.object([:]).decode(Missing.self) }
        #expect(ForkError.describe(try #require(missing)).count < 120)
        let foreign = DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: Self.long))
        check(ForkError(.handlerFailed, ForkError.describe(foreign)))
    }

    @Test("what the other side says is told within bounds, and can't control a terminal")
    func saidByThePeer() {
        let abort = ForkError(.aborted(Abort(message: Self.long)))
        check(abort, #"The other side closed the channel: secret \u{1B}[2J\nsecret"#)
        #expect(abort.message.unicodeScalars.count < 250)
    }

    @Test("no message is longer than some hundred characters, whoever made it")
    func everyMessage() {
        check(ForkError(.system, Self.long))
    }

    @Test("paths, arguments and variables that can't be used are named within bounds")
    func programs() throws {
        var options = ChildProcess.Options()
        func failure(_ path: String, _ arguments: [String] = []) throws -> ForkError {
            try #require(
                #expect(throws: ForkError.self) {
                    try ChildProcess.fork(path: path, arguments: arguments, options: options)
                })
        }
        check(try failure("/" + Self.long), "Could not start '/secret ")
        check(try failure(Self.long + "\0"), "The path 'secret ")
        let argument = try failure("/bin/true", [Self.long + "\0"])
        check(argument, "The argument 'secret ")
        #expect(argument.message.count < 150)
        options.environment = .custom([Self.long + "=": ""])
        check(try failure("/bin/true"), "'secret ")
    }

    private struct Index: CodingKey {
        let intValue: Int? = 0
        let stringValue = "Index 0"

        init() {}
        init?(intValue: Int) { nil }
        init?(stringValue: String) { nil }
    }

    private struct Missing: Decodable {
        struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            _ = try container.decode(Int.self, forKey: Key(stringValue: ErrorTextTests.long))
        }
    }
}
