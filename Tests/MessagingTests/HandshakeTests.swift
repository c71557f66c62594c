import Testing
import Wire

@testable import Messaging
@testable import Reactor

/// A queue whose changes can stand in an expectation.
private final class Queue {
    var value = OutboundQueue(highWaterMark: 1000, limit: 10_000, dialect: .node)

    func accept(_ text: String) throws { _ = try value.accept(line: Array(text.utf8), handles: nil) }

    /// A message with a handle.
    func accept(handle text: String) throws {
        _ = try value.accept(line: Array(text.utf8), handles: OutboundHandles(DescriptorList()))
    }

    func take() -> WriteBatch? { value.takeBatch() }

    func wrote(_ count: Int, of batch: WriteBatch) -> (action: OutboundQueue.Action, finished: [UInt64]) {
        value.wrote(count, of: batch, isBlocked: false)
    }
}

extension WriteBatch {
    fileprivate var text: String {
        ([first] + rest).map { String(decoding: $0.bytes[$0.range], as: UTF8.self) }.joined()
    }
}

/// The outbound queue of the Node dialect, where an event can come at any moment.
@Suite("Outbound queue of the Node dialect")
struct HandshakeTests {
    @Test("an acknowledgement can overtake the writer of its handle")
    func overtaken() throws {
        let queue = Queue()
        try queue.accept(handle: "handle\n")
        try queue.accept("next\n")
        let batch = try #require(queue.take())
        #expect(queue.value.acknowledged() == .none)
        #expect(queue.wrote(7, of: batch).action == .write)
        #expect(queue.take()?.text == "next\n")
    }

    @Test("a refusal can overtake the writer of its handle")
    func refusalOvertakes() throws {
        let queue = Queue()
        try queue.accept(handle: "handle\n")
        try queue.accept("next\n")
        let batch = try #require(queue.take())
        #expect(queue.value.refusedByPeer().action == .none)
        #expect(queue.wrote(3, of: batch).action == .write)
        let rest = try #require(queue.take())
        #expect(rest.text == "dle\n")
        _ = queue.wrote(4, of: rest)
        let again = try #require(queue.take())
        #expect(again.text == "handle\n" && again.first.handles != nil)
        _ = queue.wrote(7, of: again)
        #expect(queue.take()?.text == nil)
        #expect(queue.value.acknowledged() == .write)
        #expect(queue.take()?.text == "next\n")
    }

    @Test("a handle that the socket did not take is not waited for")
    func notWritten() throws {
        let queue = Queue()
        try queue.accept(handle: "handle\n")
        let batch = try #require(queue.take())
        _ = queue.value.wrote(0, of: batch, isBlocked: true)
        #expect(queue.value.socketBecameWritable() == .write)
        let again = try #require(queue.take())
        #expect(again.text == "handle\n" && again.first.handles != nil)
    }

    @Test("an answer that passes messages does not let those who wait for these go early")
    func waiterBehindAnswer() throws {
        let queue = Queue()
        try queue.accept("message\n")
        #expect(queue.value.wait(1) == .wait)
        #expect(queue.value.answer(Array("answer\n".utf8)) == .write)
        let batch = try #require(queue.take())
        #expect(batch.text == "answer\nmessage\n")
        #expect(queue.wrote(14, of: batch).finished == [])
        let rest = try #require(queue.take())
        #expect(queue.wrote(1, of: rest).finished == [1])
    }

    @Test("the handle that is under way is let go when the queue fails")
    func letGo() throws {
        let queue = Queue()
        try queue.accept(handle: "handle\n")
        let batch = try #require(queue.take())
        _ = queue.wrote(7, of: batch)
        _ = queue.value.fail(.byPeer)
        #expect(queue.value.takeDiscarded().count == 1)
        #expect(queue.value.lostCount == 0)
        #expect(queue.value.refusedByPeer().action == .none)
    }

    @Test("an answer that has not been written when the queue fails is not written")
    func unwrittenAnswer() throws {
        let queue = Queue()
        try queue.accept("message\n")
        let batch = try #require(queue.take())
        #expect(queue.value.answer(Array("answer\n".utf8)) == OutboundQueue.Action.none)
        _ = queue.value.fail(.byPeer)
        #expect(queue.wrote(0, of: batch).action == .none)
        #expect(queue.take()?.text == nil)
    }

    @Test("a peer that has ended is not waited for, and handles go on being written")
    func peerEnded() throws {
        let queue = Queue()
        try queue.accept(handle: "one\n")
        try queue.accept(handle: "two\n")
        _ = queue.value.finish(.byPeer)
        let one = try #require(queue.take())
        _ = queue.wrote(4, of: one)
        #expect(queue.take()?.text == nil)
        #expect(queue.value.acknowledgementsEnded() == .write)
        let two = try #require(queue.take())
        #expect(queue.wrote(4, of: two).action == .endStream)
    }
}
