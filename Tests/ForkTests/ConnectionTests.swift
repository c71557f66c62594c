import JSONCodec
import Reactor
import TestSupport
import Testing

@testable import Fork
@testable import Messaging

@Suite("Connection, with both ends in one process")
struct ConnectionTests {
    /// Both ends of a channel, each on a loop of its own.
    private struct Ends {
        let parent: Connection
        let child: Connection
        /// The errors that nobody hears, of either end.
        let unheard = Journal<ForkError>()

        init() throws {
            let unheard = unheard
            (parent, child) = try System.socketPair().split { ours, theirs in
                let outer = try MessageLoop(named: "test-parent")
                let inner = try MessageLoop(named: "test-child")
                try outer.ensureDriven()
                try inner.ensureDriven()
                let parent = Connection(
                    try Channel(socket: ours, loop: outer, limits: ChannelLimits(ids: 0)), to: .child
                ) { unheard.append($0) }
                let child = Connection(
                    try Channel(socket: theirs, loop: inner, limits: ChannelLimits(ids: 0), isMaker: false), to: .parent
                ) { unheard.append($0) }
                try parent.start()
                try child.start()
                return (parent, child)
            }
        }
    }

    @Test("messages go both ways, and a disconnect is told to both after the last of them")
    func bothWays() async throws {
        let ends = try Ends()
        let (heard, answers) = (Journal<String>(), Journal<String>())
        let child = ends.child
        _ = child.onMessage { [weak child] message in
            heard.append(message.description)
            _ = try child?.send("answer to \(message)", handles: Handles())
        }
        _ = child.onDisconnect { heard.append("disconnect") }
        _ = ends.parent.onMessage(of: String.self) { answers.append($0) }
        _ = ends.parent.onDisconnect { answers.append("disconnect") }
        _ = try ends.parent.send(1, handles: Handles())
        _ = try ends.parent.send(bytes: [1, 2, 3], handles: Handles())
        try await ends.parent.flush()
        ends.parent.disconnect()
        try await heard.wait(forCount: 3)
        try await answers.wait(forCount: 3)
        #expect(heard.entries == ["1", "3 bytes", "disconnect"])
        #expect(answers.entries == ["answer to 1", "answer to 3 bytes", "disconnect"])
        #expect(!ends.parent.isOpen)
    }

    @Test("the parent's end goes on sending until its late senders have ended")
    func lateSender() async throws {
        let ends = try Ends()
        let (disconnects, answers) = (Journal<String>(), Journal<String>())
        let child = ends.child
        child.lateSenderBegan()
        _ = child.onMessage { _ in }
        _ = child.onDisconnect { disconnects.append("child") }
        _ = ends.parent.onMessage(of: String.self) { answers.append($0) }
        _ = ends.parent.onDisconnect { answers.append("disconnect") }
        ends.parent.disconnect()
        try await disconnects.wait(forCount: 1)
        #expect(child.isOpen)
        _ = try child.send("late", handles: Handles())
        child.loop.execute { child.lateSenderEnded() }
        try await answers.wait(forCount: 2)
        #expect(answers.entries == ["late", "disconnect"])
    }

    @Test("what the channel refuses is an error that users know")
    func errors() async throws {
        let ends = try Ends()
        ends.parent.disconnect()
        let error = #expect(throws: ForkError.self) { try ends.parent.send(1, handles: Handles()) }
        #expect(error?.code == .disconnected)
        let sent = #expect(throws: ForkError.self) { try ends.child.send(Double.nan, handles: Handles()) }
        #expect(sent?.code == .notEncodable)
    }

    @Test("an error that nobody hears is reported once, and told to the first who comes")
    func unheard() async throws {
        let ends = try Ends()
        _ = ends.child.onMessage(of: Int.self) { _ in }
        _ = try ends.parent.send("no number", handles: Handles())
        let reported = try await ends.unheard.wait(forCount: 1)
        #expect(reported.map(\.code) == [.invalidMessage])
        let told = Journal<ForkError.Code>()
        _ = ends.child.onError { told.append($0.code) }
        try await told.wait(forCount: 1)
        #expect(told.entries == [.invalidMessage])
    }
}
