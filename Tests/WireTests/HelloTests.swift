import TestSupport
import Testing

@testable import Wire

@Suite("Hello and abort")
struct HelloTests {
    private func read(_ text: String) throws(WireError) -> Hello {
        try Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(WireError) in
            try Hello(body: UnsafeRawBufferPointer(bytes))
        }
    }

    private func hello(
        version: String = #"{"major":1,"minor":0}"#, features: String = "[]",
        limits: String = #"{"message":65536,"window":262144,"ids":256}"#
    ) throws(WireError) -> Hello {
        try read(#"{"version":\#(version),"features":\#(features),"limits":\#(limits)}"#)
    }

    @Test("a hello says what it was made of", arguments: [[], ["handles"], ["a \"quoted\" name", "ü", ""]])
    func roundTrip(_ features: [String]) throws {
        let hello = Hello(limits: Hello.Limits(message: 123_456, window: 300_000, ids: 7), features: features)
        let frame = try #require(Reading(whole: hello.frame()).frames.first)
        let read = try frame.body.withUnsafeBytes { try Hello(body: $0) }
        #expect(read == hello)
        #expect(read.version == Hello.Version(major: 1, minor: 0))
        #expect(read.limits == Hello.Limits(message: 123_456, window: 300_000, ids: 7))
    }

    @Test("a hello is the example of the specification, but for the ids")
    func example() throws {
        let hello = Hello(limits: Hello.Limits(message: 65_536, window: Hello.Limits.endlessWindow, ids: 0))
        let text = """
            {"version":{"major":1,"minor":0},"features":[],\
            "limits":{"message":65536,"window":9007199254740991,"ids":0}}
            """
        #expect(try Array(hello.frame()[16...]) == Array(text.utf8))
        #expect(try read(text.replacing(",\"ids\":0", with: "")) == hello)
    }

    @Test("another major version is named before anything else of the hello is read")
    func version() throws {
        #expect(throws: WireError.unsupportedVersion(7)) {
            try read(#"{"version":{"major":7,"minor":0},"limits":"none"}"#)
        }
        #expect(try hello(version: #"{"major":1,"minor":9007199254740991}"#).version.minor == 9_007_199_254_740_991)
        for version in [
            "1", #"{"major":7}"#, #"{"minor":0}"#, #"{"major":7.5,"minor":0}"#, #"{"major":7,"minor":-1}"#,
            #"{"major":9007199254740992,"minor":0}"#, #"{"major":"1","minor":0}"#, "null",
        ] {
            #expect(badHello(try hello(version: version)), "\(version)")
        }
        #expect(badHello(try read(#"{"features":[],"limits":{}}"#)))
        #expect(badHello(try read("[]")))
        #expect(badHello(try read("")))
    }

    private func badHello(_ read: @autoclosure () throws -> Hello) -> Bool {
        do {
            _ = try read()
            return false
        } catch {
            return (error as? WireError)?.name == "badHello"
        }
    }

    @Test("each limit is taken from its least to its most, and refused beyond")
    func limits() throws {
        func limits(message: String = "65536", window: String = "262144", ids: String = "0") throws(WireError) -> Hello
        {
            try hello(limits: #"{"message":\#(message),"window":\#(window),"ids":\#(ids)}"#)
        }
        #expect(try limits().limits == Hello.Limits.floor)
        #expect(try limits(message: "9007199254740991").limits.message == WireNumber.largest)
        #expect(try limits(window: "9007199254740991").limits.window == Hello.Limits.endlessWindow)
        #expect(try limits(ids: "9007199254740991").limits.ids == WireNumber.largest)
        #expect(try limits(message: "65536.0", window: "2.62144e5").limits == Hello.Limits.floor)
        #expect(badHello(try limits(message: "65535")))
        #expect(badHello(try limits(window: "262143")))
        #expect(badHello(try limits(ids: "-1")))
        for number in ["9007199254740992", "1e300", "65536.5", "null", "\"300000\"", "[]"] {
            #expect(badHello(try limits(message: number)))
            #expect(badHello(try limits(window: number)))
            #expect(badHello(try limits(ids: number)))
        }
        #expect(badHello(try hello(limits: #"{"message":65536}"#)))
        #expect(badHello(try hello(limits: #"{"window":262144}"#)))
        #expect(try hello(limits: #"{"message":65536,"window":262144}"#).limits.ids == 0)
    }

    @Test(
        "a limit that is told in decimal is one that a hello may announce",
        arguments: ["65536": 65_536, "100000": 100_000, "0070000": 70_000, "9007199254740991": 9_007_199_254_740_991])
    func decimalLimit(text: String, limit: Int) {
        #expect(Hello.Limits.messageLimit(text) == limit)
    }

    @Test(
        "and nothing else is",
        arguments: [
            "", "0", "65535", "9007199254740992", "99999999999999999999", "-70000", "+70000", " 70000", "70000\n",
            "7e4", "70000x", "x", "７００００",
        ])
    func noDecimalLimit(text: String) {
        #expect(Hello.Limits.messageLimit(text) == nil)
    }

    @Test("features are strings, whatever they are")
    func features() throws {
        #expect(try hello(features: #"["x","handles"]"#).features == ["x", "handles"])
        for features in ["null", "{}", "\"handles\"", "[1]", #"["handles",null]"#] {
            #expect(badHello(try hello(features: features)))
        }
    }

    @Test("an abort says what it was made of, and one that can't be read is an abort all the same")
    func aborts() throws {
        let abort = Abort(message: "it was long")
        let frame = try #require(Reading(whole: Example.hello + abort.frame()).frames.last)
        #expect(frame.header.kind == .abort)
        #expect(frame.body.withUnsafeBytes { Abort(body: $0) } == abort)
        #expect(abort.code == "protocolViolation")
        for body in ["", "{", "[]", #"{"code":1,"message":"x"}"#, #"{"code":"x"}"#] {
            let abort = Array(body.utf8).withUnsafeBytes { Abort(body: $0) }
            #expect(abort.code == "unreadable")
            #expect(!abort.message.isEmpty)
        }
    }
}
