import Reactor
import TestSupport
import Testing
import Wire

@testable import Messaging

/// What a peer can cost that keeps to the rules and means ill: memory, descriptors and steps, in figures. It never
/// reads what it is answered, except where it has to.
@Suite("Hostile peers")
struct HostilePeerTests {
    private static let rounds = 20_000

    /// A side that nobody takes plain messages from, and that refuses all conversations.
    private func side(hasConsumer: Bool = false, limits: ChannelLimits = ChannelLimits()) -> ValueSide {
        let side = ValueSide(isMaker: false, limits: limits)
        side.trace = { _ in }
        side.inbound.hasConsumer = hasConsumer
        side.happened = { [unowned side] key, event in
            switch event {
            case .message(_, isOpening: true, _, let cost):
                _ = try? side.outbound.accept(.failure("{}"), in: key)
                side.release(key)
                side.took(key, cost: cost)
            case .message(_, _, _, let cost): side.took(key, cost: cost)
            default: break
            }
        }
        side.read(Frame.hello(ids: 8))
        return side
    }

    /// What the side holds, about: messages and parts of them, what waits to be written, and what is known of ids.
    private func held(_ side: ValueSide) -> Int {
        let begun = side.inbound.lanes.values.reduce(side.inbound.main.begun?.body.capacity ?? 0) {
            $0 + ($1.begun?.body.capacity ?? 0) + 256
        }
        let ready = side.outbound.ready.reduce(0) { $0 + $1.bytes.count + 64 }
        let ids =
            side.outbound.conversations.count + side.outbound.lanes.count + side.outbound.turns.count
            + side.outbound.cancelled.count + side.outbound.unopened.count + side.inbound.touched.count
            + side.inbound.stalled.count + side.inbound.due.count
        var control = side.outbound.control
        return begun + side.inbound.backlog.size + ready + side.outbound.queuedCount + 128 * ids + control.take().count
    }

    @Test("messages of one-byte frames: no more than the longest message, and what the side takes is what it costs")
    func tinyFrames() {
        let side = side(limits: ChannelLimits(messageLimit: 1 << 20))
        let frames = (0..<64).flatMap { _ in Frame.frame(.bytes, .more, [1]) }
        var count = 0
        // As many as there is credit for, and nobody gives more.
        while side.inbound.main.credit.limit > side.inbound.main.credit.offset + 64 * 65 {
            side.read(frames)
            count += 64
            #expect(held(side) < 1 << 20)
            if count > Self.rounds { break }
        }
        #expect(count > 4000 && count < 17_000)
        #expect(side.inbound.main.credit.offset == UInt64(65 * count))
    }

    @Test("a flood of pings is answered by one pong")
    func pings() {
        let side = side()
        for number in 0..<Self.rounds {
            side.read(Frame.ping(UInt64(number)))
            if number % 1000 == 0 { #expect(held(side) < 1000) }
        }
        let answers = Frame.list(side.writeAll()).filter { $0 == "pong" }
        #expect(answers.count == 1)
    }

    @Test("opening and cancelling in a loop leaves nothing behind")
    func openAndCancel() {
        let side = side(limits: ChannelLimits(ids: 8))
        var id: UInt64 = 1
        while !side.inbound.isStreamEnded, id < 2 * UInt64(Self.rounds) {
            side.read(Frame.opening("1", id: id) + Frame.cancel(id))
            id += 2
            #expect(held(side) < 20_000)
        }
        #expect(side.outbound.conversations.count == 0 && side.inbound.lanes.isEmpty)
    }

    @Test("requests whose answers are not read: as many as were allowed, and none of them for ever")
    func answersUnread() {
        let side = side(limits: ChannelLimits(ids: 8))
        for number in 0..<8 { side.read(Frame.opening("1", id: UInt64(2 * number + 1))) }
        #expect(held(side) < 20_000)
        #expect(side.outbound.conversations.highestPeer == 15)
        side.read(Frame.opening("1", id: 17))
        #expect(side.inbound.isStreamEnded)
    }

    @Test("credit without end, for every id, costs nothing")
    func creditSpins() {
        let side = side()
        side.read(Frame.opening("1", .open, id: 1))
        for number in 0..<Self.rounds {
            let limit = UInt64(number) << 20
            side.read(Frame.credit(limit: limit, highestID: limit) + Frame.credit(1, limit: limit, highestID: limit))
        }
        #expect(held(side) < 20_000)
    }

    @Test("frames of ids that have ended are dropped, whatever they say")
    func ended() {
        let side = side()
        side.read(Frame.opening("1", id: 1) + Frame.cancel(1))
        let before = held(side)
        for _ in 0..<200 {
            side.read(Frame.bytes(100_000, .more, id: 1) + Frame.credit(1, limit: 1) + Frame.cancel(1) + Frame.end(1))
            #expect(held(side) <= before)
        }
    }

    @Test("253 descriptors with each message, on every id: no more than a few hundred are open")
    func descriptors() async {
        // In a process of its own: they take the numbers of other tests.
        await #expect(processExitsWith: .success) {
            let limits = ChannelLimits(window: Hello.Limits.endlessWindow, ids: 8)
            let side = ValueSide(isMaker: false, limits: limits)
            side.inbound.hasConsumer = false
            side.read(Frame.hello(ids: 8))
            var open = 0
            for number in 0..<40 where side.inbound.takesHandles {
                let id = UInt64(number < 4 ? 2 * number + 1 : 0)
                let body: [UInt8] = id == 0 ? [7] : [0, 2] + Array("{}".utf8)
                let frame = Frame.frame(.bytes, id == 0 ? .none : [.meta, .more], id: id, handles: 253, body)
                let pipe = TestPipe()
                side.read([
                    .bytes(frame, ArrivedHandles(handles: SharedDescriptors(try pipe.handles(253)), isTruncated: false))
                ])
                open += 253
            }
            // 512 that are kept for messages that nobody has read, and those of the message that came last.
            #expect(open == 3 * 253)
            #expect(!side.inbound.takesHandles)
        }
    }
}
