import JSONCodec
import Testing

@testable import Wire

@Suite("Messages of the Node dialect")
struct NodeMessageTests {
    private func kind(_ text: String) throws -> String {
        let document = try Array(text.utf8).withUnsafeBytes { try JSONDocument(parsing: $0) }
        switch NodeMessage(document) {
        case .user(let document): return "user \(document.json)"
        case .handle(let document): return "handle \(document.map { "\($0.json)" } ?? "nothing")"
        case .question(let answer): return "question " + String(decoding: answer.dropLast(), as: UTF8.self)
        case .acknowledged: return "acknowledged"
        case .refused: return "refused"
        case .other: return "other"
        }
    }

    @Test("what Node says to itself is told apart by its command, and by nothing else")
    func kinds() throws {
        #expect(try kind(#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"a":1}}"#) == #"handle {"a":1}"#)
        #expect(try kind(#"{"cmd":"NODE_HANDLE_ACK"}"#) == "acknowledged")
        #expect(try kind(#"{"cmd":"NODE_HANDLE_NACK"}"#) == "refused")
        #expect(try kind(#"{"cmd":"NODE_HANDLE"}"#) == "handle nothing")
        #expect(try kind(#"{"cmd":"NODE_HANDLE","msg":null}"#) == "handle null")
        #expect(try kind(#"{"cmd":"NODE_HANDLE","msg":{"cmd":"NODE_CLUSTER"}}"#) == "handle nothing")
        let again =
            #"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_HANDLE","type":"net.Socket","msg":[1]}}"#
        #expect(try kind(again) == "handle [1]")
        #expect(
            try kind(#"{"cmd":"NODE_SOCKET_GET_COUNT","key":"4:\"::80"}"#)
                == #"question {"cmd":"NODE_SOCKET_COUNT","key":"4:\"::80","count":0}"#)
        #expect(
            try kind(#"{"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"k"}"#)
                == #"question {"cmd":"NODE_SOCKET_ALL_CLOSED","key":"k"}"#)
        #expect(try kind(#"{"cmd":"NODE_SOCKET_GET_COUNT"}"#) == "other")
        #expect(try kind(#"{"cmd":"NODE_CLUSTER","act":"online"}"#) == "other")
        #expect(try kind(#"{"cmd":"NODE_X"}"#) == "other")
        #expect(try kind("{\"cmd\":\"NODE_\u{301}\"}") == "other")
        for text in [
            #"{"cmd":"NODE_"}"#, #"{"cmd":"node_x"}"#, #"{"cmd":1}"#, #"{"cmd":null}"#, #"["cmd","NODE_X"]"#, "1",
            "null", "\"NODE_X\"",
            #"{"x":{"cmd":"NODE_X"}}"#,
        ] {
            #expect(try kind(text) == "user \(text)")
        }
    }

    private func line(_ value: some Encodable, handle: NodeEncoder.HandleType? = nil) throws -> String {
        var bytes: [UInt8] = []
        try NodeEncoder.append(value, handle: handle, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("a message is one line, with and without a handle")
    func lines() throws {
        #expect(try line(["a": "\n"]) == "{\"a\":\"\\n\"}\n")
        #expect(
            try line(1, handle: .server) == "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":1}\n")
    }

    @Test("a user's object that would be taken for one of Node's own is refused, and leaves nothing behind")
    func refusedMessages() {
        var bytes: [UInt8] = [1]
        for value in [["cmd": "NODE_HANDLE_ACK"], ["a": "NODE_", "cmd": "NODE_X"]] {
            #expect(throws: NodeEncoder.Refusal.internalMessage) {
                try NodeEncoder.append(value, handle: .socket, to: &bytes)
            }
        }
        #expect(bytes == [1])
        #expect(throws: Never.self) { try line(["cmd": "NODE_", "x": "NODE_X"]) }
        #expect(throws: Never.self) { try line(["x": ["cmd": "NODE_X"]]) }
        #expect(throws: Never.self) { try line("{\"cmd\":\"NODE_X\"}") }
    }

    @Test("a command of Node's is found wherever in the text it stands")
    func refusedAnywhere() throws {
        for count in 0..<20 {
            // What begins like the prefix is no reason to miss it.
            let before = String(repeating: "\"N", count: count % 3) + String(repeating: "x", count: count)
            #expect(throws: NodeEncoder.Refusal.internalMessage) {
                try line(["a": .string(before), "cmd": "NODE_X"] as JSON)
            }
            #expect(throws: Never.self) { try line(["a": .string(before), "cmd": "NODEX"] as JSON) }
        }
    }

    @Test("an integer that is no double is refused, wherever it stands, and digits in strings are not")
    func integers() throws {
        for integer in [9_007_199_254_740_993, .max, -9_007_199_254_740_993] as [Int64] {
            let refusal = JSONText.IntegerBeyondDouble(literal: "\(integer)")
            #expect(throws: refusal) { try line(["a": [integer]]) }
            #expect(throws: refusal) { try line(Int(integer)) }
            #expect(throws: refusal) { try line([[Int(integer)]]) }
            #expect(throws: refusal) { try line(["a": [.null, .integer(integer)]] as JSON) }
            #expect(throws: refusal) { try line(OutOfOrder(integer: integer)) }
        }
        #expect(throws: JSONText.IntegerBeyondDouble(literal: "18446744073709551615")) { try line(UInt64.max) }
        for integer in [9_007_199_254_740_992, -9_007_199_254_740_992, .min, 1 << 60] as [Int64] {
            #expect(try line(integer) == "\(integer)\n")
            #expect(try line([Int(integer)]) == "[\(integer)]\n")
        }
        #expect(try line(["9007199254740993": 1]) == "{\"9007199254740993\":1}\n")
        #expect(
            try line("9007199254740993 \\\" 9007199254740993") == "\"9007199254740993 \\\\\\\" 9007199254740993\"\n")
        #expect(try line(0.1234567890123456789) == "0.12345678901234568\n")
        #expect(try line(1.2345678901234567e+300) == "1.2345678901234567e+300\n")
        #expect(try line(9007199254740993.0 * 3) == "2.7021597764222976e+16\n")
    }

    @Test("a refused integer leaves nothing behind, and the next message is sent")
    func refusedInteger() throws {
        var bytes: [UInt8] = [1]
        #expect(throws: JSONText.IntegerBeyondDouble.self) {
            try NodeEncoder.append(["a": Int.max], handle: .socket, to: &bytes)
        }
        #expect(throws: JSONText.IntegerBeyondDouble.self) { try NodeEncoder.append(Int.max, to: &bytes) }
        #expect(bytes == [1])
        try NodeEncoder.append([1], to: &bytes)
        #expect(bytes == [1] + Array("[1]\n".utf8))
    }

    @Test("an integer of JavaScript's is the double that it stands for")
    func roundedIntegers() throws {
        func read(_ text: String) throws -> JSON {
            try Array(text.utf8).withUnsafeBytes { try JSONDocument(parsing: $0, numbersAreDoubles: true).json }
        }
        #expect(try read("1152921504606847000") == 1_152_921_504_606_846_976)
        #expect(try read("[{\"a\":-1152921504606847000}]") == [["a": -1_152_921_504_606_846_976]])
        #expect(try read("9223372036854776000") == .unsigned(1 << 63))
        #expect(try read("9223372036854775807") == .unsigned(1 << 63))
        #expect(try read("18446744073709549000") == .unsigned(18_446_744_073_709_549_568))
        #expect(try read("18446744073709552000") == .double(18_446_744_073_709_551_616))
        #expect(try read("9007199254740993") == 9_007_199_254_740_992)
    }
}

/// Writes an integer into a container that the text has gone past.
private struct OutOfOrder: Encodable {
    let integer: Int64

    private enum Key: CodingKey {
        case early, late
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        var early = container.nestedUnkeyedContainer(forKey: .early)
        try container.encode("x", forKey: .late)
        try early.encode(integer)
    }
}
