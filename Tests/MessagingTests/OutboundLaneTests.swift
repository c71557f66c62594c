import Reactor
import Testing
import Wire

@testable import Messaging

@Suite("Outbound lane")
struct OutboundLaneTests {
    private func lane(_ messages: [OutboundMessage], id: UInt64 = 0, limit: Int = 1 << 30) -> OutboundLane {
        var lane = OutboundLane(id: id, credit: SendingCredit(limit: limit))
        for (epoch, message) in messages.enumerated() { lane.append(message, epoch: UInt64(epoch)) }
        return lane
    }

    private func cutAll(_ lane: inout OutboundLane) -> [Chunk] {
        var queue = OutboundQueue(highWaterMark: 1, limit: 1)
        while !lane.isEmpty { _ = lane.cut(into: &queue.ready) }
        return Array(queue.ready)
    }

    private func bytes(_ chunks: [Chunk]) -> [UInt8] { chunks.flatMap { $0.bytes[$0.range] } }

    @Test("a message is cut at 262,144 bytes, and all frames but the last have MORE")
    func cutting() {
        let longest = FrameHeader.largestBody
        for (count, expected) in [
            (0, ["bytes (0)"]), (1, ["bytes (1)"]), (longest, ["bytes (262144)"]),
            (longest + 1, ["bytes more (262144)", "bytes (1)"]),
            (2 * longest, ["bytes more (262144)", "bytes (262144)"]),
            (600_000, ["bytes more (262144)", "bytes more (262144)", "bytes (75712)"]),
        ] {
            var lane = lane([.bytes(count)])
            #expect(Frame.list(bytes(cutAll(&lane)), afterHello: true) == expected)
        }
    }

    @Test("the body's bytes are all there, in order, wherever they lie in memory")
    func content() throws {
        let body = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        for bodyStart in [0, FrameHeader.size] {
            var lane = lane([
                OutboundMessage(
                    kind: .bytes, bytes: [UInt8](repeating: 0, count: bodyStart) + body, bodyStart: bodyStart)
            ])
            let chunks = cutAll(&lane)
            let written = chunks.filter { if case .body = $0.content { true } else { false } }
            #expect(bytes(written) == body)
            #expect(written.map(\.content) == [.body(isLast: false), .body(isLast: false), .body(isLast: true)])
        }
    }

    @Test("META and handles are in the first frame, OPEN in the last")
    func flags() {
        let handles = OutboundHandles(DescriptorList())
        var lane = lane([.opening(600_000, .open, handles), .opening(1, .open, handles)], id: 3)
        let chunks = cutAll(&lane)
        #expect(
            Frame.list(bytes(chunks), afterHello: true) == [
                "bytes 3 more meta (262144)", "bytes 3 more (262144)", "bytes 3 open (75716)",
                "bytes 3 open meta (5)",
            ])
        #expect(chunks.map { $0.handles != nil } == [true, false, false, false, false, false, true])
    }

    @Test("a frame costs what it has, and an end nothing")
    func cost() {
        var lane = lane([.bytes(300_000), .bytes(0), .end], id: 3)
        _ = cutAll(&lane)
        #expect(lane.credit.offset == UInt64(64 + 262_144 + 64 + 37_856 + 64))
    }

    @Test("without credit only an end may be sent")
    func withoutCredit() {
        #expect(!lane([.bytes(0)], limit: 0).maySend(messagesUpTo: .max))
        #expect(lane([.end], limit: 0).maySend(messagesUpTo: .max))
        #expect(!lane([]).maySend(messagesUpTo: .max))
    }

    @Test("the last message is known, and an end is one")
    func last() {
        #expect(!lane([]).hasLast)
        #expect(!lane([.bytes(1, .open)]).hasLast)
        #expect(lane([.bytes(1, .open), .bytes(1)]).hasLast)
        #expect(lane([.bytes(1, .open), .end]).hasLast)
    }

    @Test("what is taken out to be thrown away is as much as was not cut")
    func removing() {
        var whole = lane([.bytes(10), .end, .bytes(0)])
        #expect(whole.removeAll().map(\.count) == [10 + 16, 0, 16])
        #expect(whole.isEmpty)
        var begun = lane([.bytes(300_000), .bytes(10)])
        var queue = OutboundQueue(highWaterMark: 1, limit: 1)
        _ = begun.cut(into: &queue.ready)
        #expect(begun.hasBegunFirst)
        let removed = begun.removeAll()
        #expect(removed.map(\.count) == [37_856, 26] && removed.map(\.epoch) == [0, 1])
        #expect(!begun.hasBegunFirst)
    }

    @Test("messages that are too long are taken out, wherever they stand; a description is not counted")
    func tooLong() {
        var lane = lane([.bytes(10), .bytes(11), .opening(10), .opening(11), .bytes(3)])
        #expect(lane.count(longerThan: 10) == 11)
        #expect(lane.remove(longerThan: 10).map(\.epoch) == [1, 3])
        #expect(lane.count(longerThan: 10) == nil)
        #expect(lane.removeAll().map(\.epoch) == [0, 2, 4])
    }

    // MARK: Small plain messages

    /// A lane with such messages, of one epoch each three.
    private func frames(_ counts: [Int], limit: Int = 1 << 30) -> OutboundLane {
        var lane = OutboundLane(id: 0, credit: SendingCredit(limit: limit))
        for (index, count) in counts.enumerated() {
            _ = lane.append(frame: .bytes(count), epoch: UInt64(index / 3))
        }
        return lane
    }

    @Test("small plain messages lie behind each other, as long as nobody waits for the end of some")
    func joining() {
        var lane = frames([1, 2, 3, 4, 5, 6])
        var queue = OutboundQueue(highWaterMark: 1, limit: 1)
        #expect(!lane.isMessageNext)
        #expect(lane.cutFrames(into: &queue.ready) == 6 + 3 * 16)
        #expect(lane.cutFrames(into: &queue.ready) == 15 + 3 * 16)
        #expect(lane.isEmpty && lane.cutFrames(into: &queue.ready) == 0)
        #expect(queue.ready.map(\.epoch) == [0, 1] && queue.ready.allSatisfy { $0.isCut && $0.content == .frames })
        #expect(
            Frame.list(bytes(Array(queue.ready)), afterHello: true) == (1...6).map { "bytes (\($0))" })
    }

    @Test("their memory can be used again, and that of a larger one stays with it")
    func memory() {
        var lane = OutboundLane(id: 0, credit: SendingCredit(limit: 1))
        for count in [0, 16 * 1024 - 16] {
            #expect(lane.append(frame: .bytes(count), epoch: 0).count == count + 16)
        }
        #expect(!lane.isMessageNext)
        #expect(lane.append(frame: .bytes(16 * 1024 - 15), epoch: 0) == [])
        let handles = OutboundHandles(DescriptorList())
        #expect(lane.append(frame: .bytes(1, [], handles), epoch: 0) == [])
        #expect(lane.removeAll().map(\.messageCount) == [2, 1, 1])
    }

    @Test("as many of them are cut as there is credit for, and the others wait in their order")
    func framesForCredit() {
        for limit in 1...400 {
            var lane = frames([10, 20, 30], limit: limit)
            var queue = OutboundQueue(highWaterMark: 1, limit: 1)
            // A frame may be sent while some credit is left, whatever its size.
            let allowed = limit <= 74 ? 1 : limit <= 74 + 84 ? 2 : 3
            let first = [10, 20, 30].prefix(allowed)
            #expect(lane.cutFrames(into: &queue.ready) == first.reduce(0) { $0 + $1 + 16 })
            #expect(lane.credit.offset == first.reduce(0) { $0 + UInt64($1 + 64) })
            #expect(lane.maySend(messagesUpTo: 0) == false && lane.isEmpty == (allowed == 3))
            let rest = lane
            lane.credit.raise(to: 1000)
            _ = lane.cutFrames(into: &queue.ready)
            #expect(
                Frame.list(bytes(Array(queue.ready)), afterHello: true) == ["bytes (10)", "bytes (20)", "bytes (30)"])
            var thrownAway = rest
            let removed = thrownAway.removeAll()
            #expect(removed.reduce(0) { $0 + $1.messageCount } == 3 - allowed)
            #expect(removed.reduce(0) { $0 + $1.count } == [10, 20, 30].dropFirst(allowed).reduce(0) { $0 + $1 + 16 })
        }
    }
}
