import Testing
import Wire

@Suite("Damaged streams")
struct MutationTests {
    /// SplitMix64: the same numbers for the same seed, everywhere.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
            return value ^ (value >> 31)
        }
    }

    private static func validStream(_ random: inout Random) -> [UInt8] {
        var bytes = Example.hello
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let body = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let id = UInt64.random(in: 0...3, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes += Example.frame(.bytes, body, flags: .meta, handleCount: 2, id: id)
            case 1: bytes += Example.frame(.message, body, flags: .more, id: id)
            case 2: bytes += Example.frame(.bytes, [], flags: id == 0 ? [] : .open, id: id)
            case 3: bytes += FrameEncoder.control(.credit, id: id, 1 << 20, 0)
            case 4: bytes += FrameEncoder.control(.end, id: id)
            default: bytes += Example.frame(.abort, body)
            }
        }
        return bytes
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout Random) {
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(UInt8.random(in: 0...3, using: &random), at: index)
            case 4: bytes.removeLast(bytes.count - index)
            default:
                let end = Int.random(in: index...bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[index..<end], at: index)
            }
        }
    }

    @Test("whatever is changed in a stream, reading it neither traps nor depends on its portions", arguments: 0..<8)
    func mutation(_ seed: Int) {
        var random = Random(state: UInt64(seed))
        for _ in 0..<400 {
            var bytes = Self.validStream(&random)
            let original = Reading(whole: bytes)
            #expect(original.error == nil && original.openPosition == nil)
            Self.mutate(&bytes, &random)
            let reading = Reading(whole: bytes)
            #expect(Reading(byteByByte: bytes) == reading, "seed \(seed): \(bytes)")
            for _ in 0..<10 {
                let index = Int.random(in: 0...bytes.count, using: &random)
                #expect(Reading(bytes, cutAt: index) == reading, "seed \(seed), \(index): \(bytes)")
            }
        }
    }

    @Test("random bytes after a hello neither trap nor depend on their portions", arguments: 100..<104)
    func noise(_ seed: Int) {
        var random = Random(state: UInt64(seed))
        // Small numbers make lengths, kinds and flags that pass the first checks.
        let alphabet: [UInt8] = [0, 0, 0, 0, 1, 2, 4, 7, 12, 16, 17]
        for _ in 0..<1000 {
            let noise = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                alphabet[Int.random(in: alphabet.indices, using: &random)]
            }
            let reading = Reading(whole: Example.hello + noise)
            #expect(Reading(byteByByte: Example.hello + noise) == reading, "\(noise)")
        }
    }
}
