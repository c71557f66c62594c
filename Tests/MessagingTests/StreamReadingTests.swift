import JSONCodec
import Reactor
import Testing
import Wire

@testable import Messaging

@Suite("What is read of a stream")
struct StreamReadingTests {
    private static let hello: [UInt8] = {
        let limits = Hello.Limits(message: 65_536, window: 262_144, ids: 256)
        guard let frame = try? Hello(limits: limits).frame() else { preconditionFailure("A hello of our own.") }
        return frame
    }()

    private func frame(
        _ kind: FrameKind, _ body: [UInt8] = [], flags: FrameFlags = [], handleCount: UInt16 = 0, id: UInt64 = 0
    ) -> [UInt8] {
        FrameHeader(kind: kind, flags: flags, handleCount: handleCount, id: id, bodyCount: body.count).bytes + body
    }

    private func read(_ bytes: [UInt8], by reader: inout SideReader, _ handles: ArrivedHandles? = nil) {
        reader.read(bytes[...], handles)
    }

    // MARK: Memory

    @Test("what is kept of conversations that have ended does not grow with their number")
    func endedConversations() {
        var reader = SideReader(Reading.Side(isMaker: false, ids: 100_000))
        read(Self.hello, by: &reader)
        for number in 0..<2000 {
            let id = UInt64(2 * number + 1)
            read(frame(.message, Array("\0\u{2}{}1".utf8), flags: [.meta, .open], id: id), by: &reader)
            read(frame(.failure, Array("{}".utf8), id: id), by: &reader)
            #expect(reader.inbound.lanes.count <= 20)
        }
        #expect(reader.reading.frames.count == 4001)
        #expect(reader.reading.error == nil)
    }

    @Test("a conversation that goes on is kept, however many end beside it")
    func openConversation() {
        var reader = SideReader(Reading.Side(isMaker: false, ids: 100_000))
        read(Self.hello + frame(.bytes, Array("\0\u{2}{}12".utf8), flags: [.meta, .more], id: 1), by: &reader)
        for number in 1..<200 {
            let id = UInt64(2 * number + 1)
            read(frame(.message, Array("\0\u{2}{}1".utf8), flags: [.meta, .open], id: id), by: &reader)
            read(frame(.failure, Array("{}".utf8), id: id), by: &reader)
        }
        read(frame(.bytes, [0x33], id: 1), by: &reader)
        let last = reader.reading.frames.last
        #expect(last?.content == .bytes(Bytes(Array("123".utf8))))
        #expect(last?.id == 1 && last?.description == MessageDescription())
    }

    @Test("a header reserves little for what it announces")
    func reserved() {
        for id in [0, 1] as [UInt64] {
            var reader = SideReader(Reading.Side(isMaker: false))
            let header = FrameHeader(kind: .bytes, flags: .meta, id: id, bodyCount: FrameHeader.largestBody)
            read(Self.hello + header.bytes + [1], by: &reader)
            let lane = id == 0 ? reader.inbound.main : reader.inbound.lanes[id]
            #expect(lane?.begun?.body == [1])
            #expect(lane?.begun?.body.capacity ?? .max < 100_000)
        }
    }

    @Test("a long message is gathered in memory of a message before it, and bytes in memory of their own")
    func spareMemory() throws {
        var queue = InboundQueue(dialect: .native, limits: ChannelLimits(window: 1 << 30, mainWindow: 1 << 30))
        queue.hasConsumer = true
        queue.spare.reserveCapacity(100_000)
        let address = queue.spare.withUnsafeBytes { $0.baseAddress }
        let text = [0x22] + [UInt8](repeating: 0x61, count: 90_000) + [0x22]
        for kind in [FrameKind.message, .bytes, .message] {
            let bytes = (queue.readCount == 0 ? Self.hello : []) + frame(kind, text)
            var delivered: [InboundMessage] = []
            for portion in [bytes[..<(bytes.count - 20_000)], bytes[(bytes.count - 20_000)...]] {
                Array(portion).withUnsafeBytes { buffer in
                    queue.beginTurn()
                    queue.received(buffer, arrived: nil, filledBuffer: true)
                    while true {
                        let step = queue.next()
                        if case .read = step { break }
                        if case .deliver(let message) = step { delivered.append(message) }
                    }
                }
                if kind == .message, delivered.isEmpty { #expect(queue.spare.capacity == 0) }
            }
            let message = try #require(delivered.first)
            if case .bytes(let body) = message.content {
                #expect(body == text)
                #expect(body.withUnsafeBytes { $0.baseAddress } != address)
            }
            // It is there again for the next.
            #expect(message.byteCount == text.count)
            #expect(queue.spare.withUnsafeBytes { $0.baseAddress } == address)
        }
    }

    // MARK: Frames without a body

    @Test("a frame without a body that ends what was read is acted on at once")
    func lastFrames() {
        for (kind, id) in [(.cancel, 1), (.end, 1), (.failure, 1), (.bytes, 1), (.end, 0)] as [(FrameKind, UInt64)] {
            var reader = SideReader(Reading.Side(isMaker: false))
            read(Self.hello + frame(.bytes, Array("\0\u{2}{}1".utf8), flags: [.meta, .open], id: 1), by: &reader)
            read(frame(kind, id: id), by: &reader)
            #expect(reader.reading.frames.last?.kind == kind && reader.reading.frames.count == 3)
        }
    }

    // MARK: The end

    @Test(
        "an abort and a mistake after the end are told, whether or not all has been delivered",
        arguments: [true, false])
    func afterEnd(_ hasConsumer: Bool) throws {
        for portions in [1, 2] {
            for last in [try Abort(message: "why").frame(), frame(.end)] {
                var reader = SideReader(Reading.Side(hasConsumer: hasConsumer))
                let first = Self.hello + frame(.bytes, [1]) + frame(.end)
                if portions == 1 {
                    read(first + last, by: &reader)
                } else {
                    read(first, by: &reader)
                    read(last, by: &reader)
                }
                reader.end()
                let reading = reader.reading
                #expect(reading.frames.map(\.kind).prefix(3) == [.hello, .bytes, .end])
                #expect(reading.frames.count == (last.count > 16 ? 4 : 3))
                #expect(reading.reported == (last.count > 16 ? [] : [.afterEnd(0)]))
            }
        }
    }

    // MARK: Handles

    @Test("handles that could not be had lose their message alone, wherever the stream is cut")
    func lostHandles() {
        let opening = Array("\0\u{2}{}1".utf8)
        let stream = ExampleStream(
            Self.hello + frame(.bytes, [1], handleCount: 2) + frame(.bytes, [2])
                + frame(.message, opening, flags: [.meta, .open], handleCount: 1, id: 1)
                + frame(.message, [0x32], id: 1))
        let side = Reading.Side(isMaker: false)
        let none = { (_: Int) in ArrivedHandles(handles: SharedDescriptors(DescriptorList()), isTruncated: true) }
        for cut in 1..<stream.bytes.count {
            let reading = Reading(stream, by: side, cutAt: [cut], arrival: none)
            #expect(reading.error == nil && reading.reported.isEmpty)
            #expect(reading.frames.count == 4 && reading.lost.count == 1)
            #expect(reading.frames.suffix(2).first?.content == .bytes(Bytes([2])))
        }
        // None at all is a mistake of the sender.
        let reading = Reading(stream, by: side, arrival: { _ in nil })
        #expect(reading.error == .handlesDoNotMatch(announced: 2, received: 0))
    }

    // MARK: Damage

    @Test("whatever is changed in a stream, reading it neither traps nor depends on its portions", arguments: 0..<8)
    func damage(_ seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        for _ in 0..<100 {
            let side = Reading.Side(isMaker: seed % 2 == 0, messageLimit: 60, window: 600, ids: 2, opened: 1)
            var bytes = Self.hello + randomFrames(&random)
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let index = Int.random(in: Self.hello.count..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...3, using: &random), at: index)
                }
                if bytes.count == Self.hello.count { break }
            }
            let stream = ExampleStream(bytes)
            let reading = Reading(stream, by: side)
            #expect(Reading(stream, by: side, cutAt: stream.places) == reading, "seed \(seed): \(bytes)")
            for _ in 0..<5 {
                let place = Int.random(in: 1..<bytes.count, using: &random)
                #expect(Reading(stream, by: side, cutAt: [place]) == reading, "seed \(seed), \(place): \(bytes)")
            }
        }
    }

    private func randomFrames(_ random: inout SplitMix) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let id = UInt64.random(in: 0...4, using: &random)
            let opening = Array("\0\u{2}{}1".utf8)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: bytes += frame(.bytes, opening, flags: .meta, handleCount: 1, id: id)
            case 1: bytes += frame(.message, opening, flags: [.meta, id == 0 ? [] : .open], id: id)
            case 2: bytes += frame(.message, opening, flags: [.meta, .more], id: id)
            case 3: bytes += frame(.message, [0x31, 0x32], flags: .more, id: id)
            case 4: bytes += frame(.message, [0x33], id: id)
            case 5: bytes += frame(id == 0 ? .end : .cancel, id: id)
            case 6: bytes += frame(.end, id: id)
            default: bytes += id == 0 ? FrameEncoder.control(.ping, 1) : frame(.failure, Array("{}".utf8), id: id)
            }
        }
        return bytes
    }
}

/// The same numbers for the same seed, everywhere.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
