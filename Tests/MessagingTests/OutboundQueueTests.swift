import Reactor
import Testing
import Wire

@testable import Messaging

/// A queue whose changes can stand in an expectation.
private final class Queue {
    var value: OutboundQueue
    private var batch: OutboundQueue.Batch?

    init(highWaterMark: Int = 100, limit: Int = 1000) {
        value = OutboundQueue(highWaterMark: highWaterMark, limit: limit)
    }

    func accept(_ text: String) throws(OutboundQueue.AcceptError) {
        _ = try value.accept(frame: Array(text.utf8))
    }

    func accept(parts: [String]) throws(OutboundQueue.AcceptError) {
        try value.accept(
            parts.enumerated().map { index, part in
                let bytes = Array(part.utf8)
                return OutboundQueue.Chunk(bytes: bytes, range: 0..<bytes.count, startsMessage: index == 0)
            })
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

    func accept(chunk: OutboundQueue.Chunk) throws(OutboundQueue.AcceptError) { try value.accept([chunk]) }

    /// Whether handles ride with the batch that is out.
    var hasHandles: Bool { batch?.first.handles != nil }

    func refused() -> Written? {
        guard let batch else { return nil }
        self.batch = nil
        let (action, failed) = value.refused(batch)
        return Written(action: action, finished: failed)
    }

    func becameWritable() -> OutboundQueue.Action { value.socketBecameWritable() }
    func wait(_ id: UInt64) -> OutboundQueue.WaitAction { value.wait(id) }
    func cancelWait(_ id: UInt64) -> Bool { value.cancelWait(id) }
    func finish(_ closing: Closing) -> OutboundQueue.Action { value.finish(closing) }
    func fail(_ closing: Closing) -> [UInt64] { value.fail(closing) }
    func abort(_ text: String) -> OutboundQueue.Action { value.abort(with: Array(text.utf8)) }
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
        var queue = OutboundQueue(highWaterMark: 100, limit: 1000)
        let kept = try queue.accept(frame: [1])
        let joined = try queue.accept(frame: [2, 3])
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

    @Test("fragments are not joined to what comes after them")
    func fragments() throws {
        let queue = Queue()
        try queue.accept("a")
        try queue.accept(parts: ["head", "body"])
        try queue.accept("b")
        #expect(queue.take() == ["a", "head", "body", "b"])
    }

    @Test("a batch has 64 parts at most, and the rest follows in order")
    func batchSize() throws {
        let queue = Queue()
        try queue.accept(parts: (0..<70).map { "\($0)," })
        #expect(queue.take()?.count == 64)
        #expect(queue.wrote() == .init(action: .write))
        #expect(queue.take() == (64..<70).map { "\($0)," })
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
        #expect(throws: OutboundQueue.AcceptError.full(queued: 10)) { try queue.accept(parts: ["x", "y"]) }
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
        try queue.accept(parts: ["de", "fgh"])
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

    @Test("an abort says goodbye in place of what has not been begun")
    func abort() throws {
        let queue = Queue()
        try queue.accept("ab")
        try queue.accept(parts: ["c", "d"])
        #expect(queue.abort("bye") == .write)
        #expect(queue.value.queuedCount == 3)
        #expect(queue.value.loss == .protocolViolation)
        #expect(queue.take() == ["bye"])
        #expect(queue.wrote() == .init(action: .endStream))
        #expect(queue.value.closing == .protocolViolation)
    }

    @Test("an abort comes after the message that has been begun, all its fragments")
    func abortInMessage() throws {
        let queue = Queue()
        try queue.accept(parts: ["ab", "cd", "ef"])
        try queue.accept("g")
        _ = queue.take()
        _ = queue.wrote(1)
        #expect(queue.abort("bye") == .none)
        #expect(queue.value.queuedCount == 8)
        #expect(queue.becameWritable() == .write)
        #expect(queue.take() == ["b", "cd", "ef", "bye"])
        #expect(queue.wrote() == .init(action: .endStream))
    }

    @Test("what an abort writes finishes no wait for what it has thrown away")
    func abortIsNotWhatWasWaitedFor() throws {
        let queue = Queue()
        try queue.accept("ab")
        #expect(queue.wait(1) == .wait)
        #expect(queue.abort("goodbye") == .write)
        #expect(queue.take() == ["goodbye"])
        #expect(queue.wrote() == .init(action: .endStream))
        #expect(queue.fail(.protocolViolation) == [1])
        #expect(queue.wait(2) == .failed(.protocolViolation))
    }

    @Test("there is nothing to wait for after an abort that has thrown nothing away")
    func waitAfterAbort() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        _ = queue.wrote()
        #expect(queue.abort("goodbye") == .write)
        _ = queue.take()
        #expect(queue.wrote(3) == .init(action: .none))
        #expect(queue.fail(.protocolViolation) == [])
        #expect(queue.wait(1) == .finished)
    }

    @Test("an abort with nothing queued has lost nothing")
    func abortEmpty() {
        let queue = Queue()
        #expect(queue.abort("bye") == .write)
        #expect(queue.value.loss == nil)
    }

    @Test("there is no abort where a batch is out, or where the queue has been finished")
    func noAbort() throws {
        let queue = Queue()
        try queue.accept("ab")
        _ = queue.take()
        #expect(queue.abort("bye") == .none)
        #expect(queue.value.closing == nil)
        _ = queue.wrote()
        _ = queue.finish(.byThisSide)
        #expect(queue.abort("bye") == .none)
        #expect(queue.value.isEmpty)
    }

    // MARK: Handles

    private static func chunk(_ text: String, handles: Bool = true) -> OutboundQueue.Chunk {
        let bytes = Array(text.utf8)
        return OutboundQueue.Chunk(
            bytes: bytes, range: 0..<bytes.count, startsMessage: true,
            handles: handles ? OutboundHandles(DescriptorList()) : nil)
    }

    @Test("a message with handles begins a batch, and takes those without along")
    func handlesBeginBatches() throws {
        let queue = Queue()
        try queue.accept("a")
        for text in ["B", "C"] { try queue.accept(chunk: Self.chunk(text)) }
        try queue.accept("d")
        try queue.accept(parts: ["e", "f"])
        try queue.accept(chunk: Self.chunk("G"))
        for batch in [["a"], ["B"], ["C", "d", "e", "f"], ["G"]] {
            #expect(queue.take() == batch)
            #expect(queue.hasHandles == (batch != ["a"]))
            _ = queue.wrote()
        }
        #expect(queue.value.isEmpty)
    }

    @Test("handles have been written with the first byte, and are written again where none was")
    func handlesOfPartialWrites() throws {
        let queue = Queue()
        try queue.accept(chunk: Self.chunk("abc"))
        _ = queue.take()
        _ = queue.wrote(0)
        #expect(queue.becameWritable() == .write)
        #expect(queue.take() == ["abc"])
        #expect(queue.hasHandles)
        _ = queue.wrote(1)
        #expect(queue.becameWritable() == .write)
        #expect(queue.take() == ["bc"])
        #expect(!queue.hasHandles)
    }

    @Test("a message whose handles are refused goes with all its parts, and those that wait for it are told")
    func refusedHandles() throws {
        let queue = Queue()
        var parts = [Self.chunk("A"), Self.chunk("b", handles: false), Self.chunk("c", handles: false)]
        for index in 1...2 { parts[index].startsMessage = false }
        try queue.value.accept(parts)
        try queue.accept("d")
        #expect(queue.wait(1) == .wait)
        #expect(queue.take() == ["A", "b", "c", "d"])
        #expect(queue.refused() == .init(action: .write, finished: [1]))
        #expect(queue.value.lostCount == 1)
        #expect(queue.value.loss == nil)
        #expect(queue.wait(2) == .wait)
        #expect(queue.take() == ["d"])
        #expect(queue.wrote() == .init(action: .none, finished: [2]))
        #expect(queue.value.isEmpty)
    }

    @Test("a message whose handles are refused goes also where its parts fill more than a batch")
    func refusedHandlesOfManyParts() throws {
        let queue = Queue()
        var parts = [Self.chunk("A")] + (0..<100).map { _ in Self.chunk("b", handles: false) }
        for index in 1...100 { parts[index].startsMessage = false }
        try queue.value.accept(parts)
        #expect(queue.take()?.count == 64)
        #expect(queue.refused() == .init(action: .none))
        #expect(queue.value.isEmpty && queue.take() == nil)
    }

    // MARK: Counting what is lost

    /// Messages as they are on the wire, and a control frame, which does not count.
    private static func frames(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        FrameEncoder.append(.abort, to: &bytes) { $0 += "{}".utf8 }
        for _ in 0..<count { FrameEncoder.append(.message, to: &bytes) { $0 += "1234".utf8 } }
        return bytes
    }

    @Test(
        "messages that were not written to their end are counted when the queue fails", arguments: [0, 10, 21, 22, 58])
    func lost(_ written: Int) throws {
        let queue = Queue()
        _ = try queue.value.accept(frame: Self.frames(4))
        _ = queue.take()
        _ = queue.wrote(written)
        _ = queue.fail(.byPeer)
        // The control frame is 10 bytes, each message 12.
        #expect(queue.value.lostCount == 4 - max(0, written - 10) / 12)
        #expect(queue.value.takeDiscarded().isEmpty == (written == 58))
    }

    @Test("a message of several chunks is counted once, and also where its batch is out when the queue fails")
    func lostFragments() throws {
        let queue = Queue()
        var parts = ["A", "b", "c"].map { Self.chunk($0, handles: false) }
        for index in parts.indices { parts[index].content = .part(isLast: index == 2) }
        try queue.value.accept(parts)
        _ = try queue.value.accept(frame: Self.frames(2))
        _ = queue.take()
        _ = queue.fail(.peerEnded)
        _ = queue.wrote(2)
        #expect(queue.value.lostCount == 3)
    }

    @Test("what an abort throws away is counted")
    func lostByAbort() throws {
        let queue = Queue()
        _ = try queue.value.accept(frame: Self.frames(3))
        _ = queue.abort("bye")
        #expect(queue.value.lostCount == 3)
    }
}
