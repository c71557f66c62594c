import Reactor
import Testing
import Wire

@testable import Messaging

/// A queue whose changes can stand in an expectation. It has lines, which are bytes as they are: what is special about
/// frames is tested with frames.
private final class Queue {
    var value: OutboundQueue
    private var batch: WriteBatch?

    init(highWaterMark: Int = 100, limit: Int = 1000) {
        value = OutboundQueue(highWaterMark: highWaterMark, limit: limit, dialect: .node)
    }

    func accept(_ text: String) throws(OutboundQueue.AcceptError) {
        _ = try value.accept(line: Array(text.utf8), handles: nil)
    }

    /// What the next batch would write, each chunk a string; nil where there is none.
    func take() -> [String]? {
        guard let taken = value.takeBatch() else { return nil }
        batch = taken
        return ([taken.first] + taken.rest).map { String(decoding: $0.bytes[$0.range], as: UTF8.self) }
    }

    struct Written: Equatable {
        var action: OutboundQueue.Action
        var finished: [UInt64] = []
    }

    /// The batch comes back; all of it is written where no count is given.
    func wrote(_ count: Int? = nil) -> Written? {
        guard let batch else { return nil }
        self.batch = nil
        let count = count ?? batch.count
        let (action, finished) = value.wrote(count, of: batch, isBlocked: count < batch.count)
        return Written(action: action, finished: finished)
    }

    func becameWritable() -> OutboundQueue.Action { value.socketBecameWritable() }
    func wait(_ id: UInt64) -> OutboundQueue.WaitAction { value.wait(id) }
    func cancelWait(_ id: UInt64) -> Bool { value.cancelWait(id) }
    func finish(_ closing: Closing) -> OutboundQueue.Action { value.finish(closing) }
    func fail(_ closing: Closing) -> [UInt64] { value.fail(closing) }
}

@Suite("Outbound queue")
struct OutboundQueueTests {
    // MARK: Accepting

    @Test("an empty queue has nothing to write, and takes no offence at that")
    func empty() {
        let queue = Queue()
        #expect(queue.value.isEmpty)
        #expect(queue.take() == nil)
        #expect(!queue.value.isWriting)
        #expect(queue.becameWritable() == .none)
    }

    @Test("small frames are joined, in order, up to the size that is joined")
    func joining() throws {
        let queue = Queue(limit: 1 << 20)
        for text in ["a", "b", "c"] { try queue.accept(text) }
        try queue.accept(String(repeating: "d", count: 64 * 1024 - 3))
        try queue.accept("e")
        let batch = queue.take()
        #expect(batch?.count == 2)
        #expect(batch?.first == "abc" + String(repeating: "d", count: 64 * 1024 - 3))
        #expect(batch?.last == "e")
    }

    @Test("a frame that was joined gives its buffer back, and one that was kept does not")
    func buffers() throws {
        var queue = OutboundQueue(highWaterMark: 100, limit: 1000, dialect: .node)
        let kept = try queue.accept(line: [1], handles: nil)
        let joined = try queue.accept(line: [2, 3], handles: nil)
        #expect(kept.isEmpty)
        #expect(joined == [2, 3])
    }

    @Test("what is accepted while a batch is out is not joined to it")
    func joiningWhileWriting() throws {
        let queue = Queue()
        try queue.accept("a")
        #expect(queue.take() == ["a"])
        try queue.accept("b")
        #expect(queue.take() == nil)
        #expect(queue.wrote() == .init(action: .write))
        #expect(queue.take() == ["b"])
        #expect(queue.wrote() == .init(action: .none))
        #expect(queue.value.isEmpty)
    }

    // MARK: Limits

    @Test("the high-water mark is reached by that many bytes, not before")
    func highWaterMark() throws {
        let queue = Queue(highWaterMark: 4)
        try queue.accept("abc")
        #expect(queue.value.isBelowHighWaterMark)
        try queue.accept("d")
        #expect(!queue.value.isBelowHighWaterMark)
        #expect(queue.take() == ["abcd"])
        // Not yet written: it is still this process's memory.
        #expect(!queue.value.isBelowHighWaterMark)
        _ = queue.wrote(1)
        #expect(queue.value.isBelowHighWaterMark)
    }

    @Test("the limit can be reached but not passed, and a refused message leaves nothing behind")
    func limit() throws {
        let queue = Queue(limit: 10)
        try queue.accept("12345")
        try queue.accept("67890")
        #expect(throws: OutboundQueue.AcceptError.full(queued: 10)) { try queue.accept("x") }
        #expect(queue.value.queuedCount == 10)
        #expect(queue.wait(1) == .wait)
        #expect(queue.take() == ["1234567890"])
        #expect(throws: OutboundQueue.AcceptError.full(queued: 10)) { try queue.accept("x") }
        #expect(queue.wrote(4) == .init(action: .none))
        try queue.accept("abcd")
        #expect(queue.value.queuedCount == 10)
    }

    @Test("an empty queue takes one message of any size")
    func oversized() throws {
        let queue = Queue(limit: 3)
        try queue.accept("12345")
        #expect(throws: OutboundQueue.AcceptError.full(queued: 5)) { try queue.accept("x") }
    }

    // MARK: Partial writes

    @Test(
        "wherever a write stops, the next one goes on from there",
        arguments: 0...9)
    func partialWrite(_ count: Int) throws {
        let queue = Queue()
        try queue.accept("abc")
        for text in ["de", "fgh"] { try queue.accept(text) }
        try queue.accept("ij")
        let whole = "abcdefghij"
        #expect(queue.take()?.joined() == whole)
        #expect(queue.wrote(count) == .init(action: .none))
        #expect(queue.value.queuedCount == 10 - count)
        #expect(queue.take() == nil)
        #expect(queue.becameWritable() == .write)
        #expect(queue.take()?.joined() == String(whole.dropFirst(count)))
        #expect(queue.wrote() == .init(action: .none))
        #expect(queue.value.isEmpty)
    }

    @Test("a full socket holds everything back until it is writable")
    func blocked() throws {
        let queue = Queue()
        try queue.accept("ab")
        #expect(queue.take() == ["ab"])
        #expect(queue.wrote(1) == .init(action: .none))
        try queue.accept("c")
        #expect(queue.take() == nil)
        #expect(queue.becameWritable() == .write)
        #expect(queue.take()?.joined() == "bc")
    }

    @Test("where much is queued behind a full socket, who sends looks for room once for as much as a write takes well")
    func worthATry() throws {
        let queue = Queue(limit: 1_000_000)
        try queue.accept("ab")
        _ = queue.take()
        _ = queue.wrote(1)
        try queue.accept(String(repeating: "c", count: 64 * 1024 - 1))
        #expect(queue.take() == nil)
        try queue.accept("d")
        #expect(queue.take()?.count == 2)
        #expect(queue.wrote(0) == .init(action: .none))
        try queue.accept("e")
        #expect(queue.take() == nil)
    }

    @Test("what is accepted is joined to a frame of which a part has been written only as a message of its own")
    func joiningAfterPartialWrite() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        _ = queue.wrote(1)
        try queue.accept("c")
        _ = queue.becameWritable()
        #expect(queue.take() == ["b", "c"])
    }

    @Test("an event of writability that overtakes the writer that asked for it is not lost")
    func overtaken() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        #expect(queue.becameWritable() == .none)
        #expect(queue.wrote(1) == .init(action: .write))
        #expect(queue.take() == ["b"])
        // And it counts once.
        #expect(queue.wrote(0) == .init(action: .none))
        #expect(queue.take() == nil)
    }

    // MARK: Waiting

    @Test("a waiter is given out when all that was accepted before it is written, not later")
    func waiters() throws {
        let queue = Queue()
        #expect(queue.wait(1) == .finished)
        try queue.accept("ab")
        #expect(queue.wait(2) == .wait)
        _ = queue.take()
        try queue.accept("cd")
        #expect(queue.wait(3) == .wait)
        #expect(queue.wait(4) == .wait)
        #expect(queue.wrote() == .init(action: .write, finished: [2]))
        _ = queue.take()
        #expect(queue.wrote(1) == .init(action: .none))
        _ = queue.becameWritable()
        _ = queue.take()
        #expect(queue.wrote() == .init(action: .none, finished: [3, 4]))
        #expect(queue.wait(5) == .finished)
    }

    @Test("a waiter that is cancelled is not given out, and can be cancelled once")
    func cancelledWaiter() throws {
        let queue = Queue()
        try queue.accept("a")
        #expect(!queue.cancelWait(1))
        #expect(queue.wait(1) == .wait)
        #expect(queue.wait(2) == .wait)
        #expect(queue.cancelWait(1))
        #expect(!queue.cancelWait(1))
        _ = queue.take()
        #expect(queue.wrote() == .init(action: .none, finished: [2]))
        #expect(!queue.cancelWait(2))
    }

    // MARK: Ending

    @Test("an empty queue that is finished ends the stream at once, and once")
    func finishEmpty() {
        let queue = Queue()
        #expect(queue.finish(.byThisSide) == .endStream)
        #expect(queue.value.isEnded)
        #expect(queue.finish(.byPeer) == .none)
        #expect(queue.value.closing == .byThisSide)
        #expect(throws: OutboundQueue.AcceptError.closed(.byThisSide)) { try queue.accept("x") }
    }

    @Test("a queue that is finished takes no more, and ends the stream after its last byte")
    func finish() throws {
        let queue = Queue()
        try queue.accept("ab")
        #expect(queue.finish(.byThisSide) == .write)
        #expect(throws: OutboundQueue.AcceptError.closed(.byThisSide)) { try queue.accept("x") }
        #expect(!queue.value.isEnded)
        #expect(queue.wait(1) == .wait)
        #expect(queue.take() == ["ab"])
        #expect(queue.wrote(1) == .init(action: .none))
        #expect(queue.becameWritable() == .write)
        #expect(queue.take() == ["b"])
        #expect(queue.wrote() == .init(action: .endStream, finished: [1]))
        #expect(queue.value.isEnded)
        #expect(queue.value.loss == nil)
        #expect(queue.wait(2) == .finished)
    }

    @Test("a queue that is finished while a batch is out, or while the socket is full, waits for that")
    func finishWhileBusy() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        #expect(queue.finish(.byPeer) == .none)
        #expect(queue.wrote(1) == .init(action: .none))
        #expect(queue.becameWritable() == .write)
        _ = queue.take()
        #expect(queue.wrote() == .init(action: .endStream))
        #expect(queue.value.closing == .byPeer)
    }

    @Test("a queue that fails throws away what it holds, and says so to everybody who waits or comes to wait")
    func fail() throws {
        let queue = Queue()
        try queue.accept("ab")
        #expect(queue.wait(1) == .wait)
        #expect(queue.wait(2) == .wait)
        #expect(queue.fail(.byPeer) == [1, 2])
        #expect(queue.value.isEmpty)
        #expect(queue.value.isEnded)
        #expect(queue.value.loss == .byPeer)
        #expect(queue.wait(3) == .failed(.byPeer))
        #expect(queue.take() == nil)
        #expect(queue.fail(.byPeer) == [])
        #expect(throws: OutboundQueue.AcceptError.closed(.byPeer)) { try queue.accept("x") }
    }

    @Test("a queue that fails when all has been written has lost nothing")
    func failEmpty() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        _ = queue.wrote()
        #expect(queue.fail(.peerEnded) == [])
        #expect(queue.value.loss == nil)
        #expect(queue.wait(1) == .finished)
        #expect(queue.value.closing == .peerEnded)
    }

    @Test("a batch that is out when the queue fails changes nothing when it comes back")
    func failWhileWriting() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        #expect(queue.wait(1) == .wait)
        #expect(queue.fail(.byPeer) == [1])
        #expect(queue.value.isWriting)
        #expect(queue.wrote() == .init(action: .none))
        #expect(!queue.value.isWriting)
        #expect(queue.value.queuedCount == 0)
        #expect(queue.wait(2) == .failed(.byPeer))
    }

    @Test("why the queue was finished outlives its failure")
    func failAfterFinish() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.finish(.byThisSide)
        _ = queue.fail(.byPeer)
        #expect(queue.value.closing == .byThisSide)
        #expect(queue.value.loss == .byPeer)
    }

    // MARK: Counting what is lost

    @Test("messages that were not written to their end are counted when the queue fails", arguments: 0...12)
    func lost(_ written: Int) throws {
        let queue = Queue()
        for _ in 0..<3 { try queue.accept("123\n") }
        _ = queue.take()
        _ = queue.wrote(written)
        _ = queue.fail(.byPeer)
        #expect(queue.value.lostCount == 3 - written / 4)
    }
}

/// The same with frames.
@Suite("Outbound queue of frames")
struct OutboundFramesTests {
    private static func message(_ text: String, handles: Bool = false) -> OutboundMessage {
        let bytes = [UInt8](repeating: 0, count: FrameHeader.size) + Array(text.utf8)
        return OutboundMessage(
            kind: .message, bytes: bytes, handles: handles ? OutboundHandles(DescriptorList()) : nil)
    }

    private static func queue() -> OutboundQueue {
        var queue = OutboundQueue(highWaterMark: 1 << 20, limit: 64 << 20)
        _ = queue.peerAnnounced(Hello.Limits(message: 64 << 20, window: Hello.Limits.endlessWindow, ids: 10))
        return queue
    }

    private func batchOf(_ queue: inout OutboundQueue) throws -> WriteBatch {
        let batch = queue.takeBatch()
        return try #require(batch)
    }

    private static func text(_ batch: WriteBatch?) -> [String] {
        guard let batch else { return [] }
        return ([batch.first] + batch.rest).map { String(decoding: $0.bytes[$0.range], as: UTF8.self) }
    }

    private static func text(_ kind: FrameKind, _ text: String) -> String {
        String(decoding: frame(kind, text.utf8), as: UTF8.self)
    }

    @Test("a message with handles begins a batch, and takes those without along")
    func handlesBeginBatches() throws {
        var queue = Self.queue()
        for text in ["a", "B", "C", "d", "G"] {
            _ = try queue.accept(Self.message(text, handles: text.first!.isUppercase))
        }
        for texts in [["a"], ["B"], ["C", "d"], ["G"]] {
            let batch = try batchOf(&queue)
            #expect(Self.text(batch) == texts.map { Self.text(.message, $0) })
            #expect((batch.first.handles != nil) == (texts != ["a"]))
            _ = queue.wrote(batch.count, of: batch, isBlocked: false)
        }
        #expect(queue.isEmpty)
    }

    @Test("handles have been written with the first byte, and are written again where none was")
    func handlesOfPartialWrites() throws {
        var queue = Self.queue()
        _ = try queue.accept(Self.message("abc", handles: true))
        var batch = try batchOf(&queue)
        _ = queue.wrote(0, of: batch, isBlocked: true)
        #expect(queue.socketBecameWritable() == .write)
        batch = try batchOf(&queue)
        #expect(batch.first.handles != nil)
        _ = queue.wrote(1, of: batch, isBlocked: true)
        #expect(queue.socketBecameWritable() == .write)
        batch = try batchOf(&queue)
        #expect(batch.first.handles == nil && batch.count == FrameHeader.size + 2)
    }

    @Test(
        "a message whose handles are refused goes with all its frames, and those that wait for it are told",
        arguments: [1, 300_000, 20_000_000])
    func refusedHandles(_ size: Int) throws {
        var queue = Self.queue()
        _ = try queue.accept(Self.message(String(repeating: "A", count: size), handles: true))
        _ = try queue.accept(Self.message("d"))
        #expect(queue.wait(1) == .wait)
        let batch = try batchOf(&queue)
        #expect(batch.first.handles != nil)
        let (action, failed) = queue.refused(batch)
        #expect(action == .write && failed == [1])
        #expect(queue.lostCount == 1 && queue.loss == nil)
        #expect(queue.wait(2) == .wait)
        let rest = try batchOf(&queue)
        #expect(Self.text(rest) == [Self.text(.message, "d")])
        #expect(queue.wrote(rest.count, of: rest, isBlocked: false).finished == [2])
        #expect(queue.isEmpty && queue.queuedCount == 0)
    }

    @Test("an abort says goodbye in place of what has not been begun, and counts that")
    func abort() throws {
        var queue = Self.queue()
        for text in ["ab", "c", "d"] { _ = try queue.accept(Self.message(text)) }
        #expect(queue.wait(1) == .wait)
        let (action, failed) = queue.abort(with: frame(.abort, "{}".utf8), .protocolViolation)
        #expect(action == .write && failed == [1])
        #expect(queue.loss == .protocolViolation && queue.lostCount == 3)
        let batch = try batchOf(&queue)
        #expect(Self.text(batch) == [Self.text(.abort, "{}")])
        #expect(queue.wrote(batch.count, of: batch, isBlocked: false).action == .close)
        #expect(queue.closing == .protocolViolation && queue.isEnded)
        #expect(queue.wait(2) == .failed(.protocolViolation))
    }

    @Test("an abort comes after the frame that has been begun, and no other", arguments: [false, true])
    func abortInFrame(_ isOut: Bool) throws {
        let abort = frame(.abort, "{}".utf8)
        let whole = frame(.message, "ab".utf8) + frame(.message, "cd".utf8)
        for written in 0...whole.count {
            var queue = Self.queue()
            for text in ["ab", "cd"] { _ = try queue.accept(Self.message(text)) }
            let batch = try batchOf(&queue)
            if isOut { _ = queue.abort(with: abort, .protocolViolation) }
            _ = queue.wrote(written, of: batch, isBlocked: written < whole.count)
            if !isOut { _ = queue.abort(with: abort, .protocolViolation) }
            _ = queue.socketBecameWritable()
            let rest = try batchOf(&queue)
            let border = (written + 17) / 18 * 18
            let bytes = ([rest.first] + rest.rest).flatMap { $0.bytes[$0.range] }
            #expect(whole[..<written] + bytes == whole[..<border] + abort, "written \(written)")
            #expect(queue.lostCount == 2 - border / 18)
            #expect(queue.wrote(rest.count, of: rest, isBlocked: false).action == .close)
        }
    }

    @Test("an abort with nothing queued has lost nothing, and there is one only")
    func abortEmpty() {
        var queue = Self.queue()
        #expect(queue.abort(with: frame(.abort, []), .protocolViolation).action == .write)
        #expect(queue.loss == nil)
        #expect(queue.abort(with: frame(.abort, []), .protocolViolation).action == .none)
    }

    @Test("a queue that is finished says so after its last byte, and goes on with control frames")
    func finish() throws {
        var queue = Self.queue()
        _ = try queue.accept(Self.message("ab"))
        #expect(queue.finish(.byThisSide) == .write)
        var batch = try batchOf(&queue)
        #expect(queue.wrote(batch.count, of: batch, isBlocked: false).action == .write)
        batch = try batchOf(&queue)
        #expect(Self.text(batch) == [Self.text(.end, "")])
        #expect(!queue.isEnded)
        #expect(queue.wrote(batch.count, of: batch, isBlocked: false).action == .ended)
        #expect(queue.isEnded)
        #expect(queue.say { $0.pong(7) } == .write)
        #expect(queue.takeBatch() != nil)
    }

    @Test("a message of several frames is counted once, wherever the queue fails")
    func lostFrames() throws {
        for written in [0, 1, 300_000, 600_000] {
            var queue = Self.queue()
            _ = try queue.accept(Self.message(String(repeating: "x", count: 600_000)))
            _ = try queue.accept(Self.message("y"))
            var rest = written
            while rest > 0, let batch = queue.takeBatch() {
                let part = min(rest, batch.count)
                rest -= part
                _ = queue.wrote(part, of: batch, isBlocked: false)
            }
            _ = queue.fail(.peerEnded)
            #expect(queue.lostCount == 2)
        }
    }
}
