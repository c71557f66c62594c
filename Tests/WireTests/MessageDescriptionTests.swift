import TestSupport
import Testing

@testable import Wire

@Suite("Descriptions of messages")
struct MessageDescriptionTests {
    /// The description that a body begins with, and what is left of the body.
    private func read(_ body: [UInt8]) throws(WireError) -> (description: MessageDescription, rest: [UInt8]) {
        try body.withUnsafeBufferPointer { (bytes) throws(WireError) in
            var input = UnsafeRawBufferPointer(bytes)
            return (try MessageDescription(from: &input), Array(input))
        }
    }

    private func read(_ text: String) throws(WireError) -> MessageDescription {
        let count = text.utf8.count
        return try read([UInt8(count >> 8), UInt8(count & 0xff)] + Array(text.utf8)).description
    }

    private func isBad(_ body: [UInt8]) -> Bool {
        do throws(WireError) {
            _ = try read(body)
            return false
        } catch {
            return error.name == "badMeta"
        }
    }

    private func isBad(_ text: String) -> Bool {
        isBad([UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xff)] + Array(text.utf8))
    }

    @Test(
        "a description says what it was made of, and what follows it is left in the body",
        arguments: [
            MessageDescription(), MessageDescription(name: ""), MessageDescription(name: "résumé \u{0}\""),
            MessageDescription(timeout: 0), MessageDescription(timeout: WireNumber.largest),
            MessageDescription(name: "a", timeout: 1500, trace: ["traceparent": "00-1-2-03", "b": ""]),
        ])
    func roundTrip(_ description: MessageDescription) throws {
        var body: [UInt8] = []
        try description.append(to: &body)
        let result = try read(body + [1, 2, 3])
        #expect(result.description == description)
        #expect(result.rest == [1, 2, 3])
        #expect(try read(body).rest.isEmpty)
        // Cut off anywhere it is none.
        for count in body.indices { #expect(isBad(Array(body[..<count]))) }
    }

    @Test("its members are written in one order, and only those that say something")
    func text() throws {
        var body: [UInt8] = []
        try MessageDescription(name: "n", timeout: 5, trace: ["b": "2", "a": "1"]).append(to: &body)
        #expect(String(decoding: body[2...], as: UTF8.self) == #"{"name":"n","timeout":5,"trace":{"a":"1","b":"2"}}"#)
        #expect(Int(body[0]) << 8 | Int(body[1]) == body.count - 2)
        body = []
        try MessageDescription().append(to: &body)
        #expect(body == [0, 2] + Array("{}".utf8))
    }

    @Test("the longest that its length can tell is written and read, and nothing longer is written")
    func longest() throws {
        // {"name":""} has 11 bytes.
        let longest = MessageDescription(name: String(repeating: "x", count: 65_535 - 11))
        var body: [UInt8] = []
        try longest.append(to: &body)
        #expect(body[..<2] == [0xff, 0xff])
        #expect(try read(body).description == longest)
        #expect(throws: MessageDescription.EncodingFailure.self) {
            try MessageDescription(name: String(repeating: "x", count: 65_536 - 11)).append(to: &body)
        }
    }

    @Test("members that nobody knows are ignored, and numbers may have a fraction of zero")
    func unknown() throws {
        #expect(try read(#" { "later" : [1, {"name": 2}], "name" : "a" } "#) == MessageDescription(name: "a"))
        #expect(try read(#"{"timeout":250.0}"#) == MessageDescription(timeout: 250))
        #expect(try read(#"{"trace":{}}"#) == MessageDescription())
    }

    @Test(
        "what is no object, or has a member of another type, is refused",
        arguments: [
            "", " ", "[]", "null", "1", "\"name\"", "{", "{}x", #"{"name":1}"#, #"{"name":null}"#, #"{"timeout":-1}"#,
            #"{"timeout":1.5}"#, #"{"timeout":9007199254740992}"#, #"{"timeout":"1"}"#, #"{"timeout":null}"#,
            #"{"trace":[]}"#, #"{"trace":null}"#, #"{"trace":{"a":1}}"#, #"{"trace":{"a":null}}"#,
            #"{"name":"a","name":"a"}"#, #"{"x":"\ud800"}"#,
        ])
    func bad(_ text: String) {
        #expect(isBad(text))
    }
}
