import SystemPackage
import TestSupport
import Testing

@testable import Messaging
@testable import Reactor

@Suite("Bursts of sends")
struct BurstDetectorTests {
    private let start: UInt64 = 1_000_000_000

    private func gathered(_ gaps: [UInt64], _ latency: MessageLoop.Latency = .balanced) -> [Bool] {
        var burst = BurstDetector()
        var time = start
        return gaps.map { gap in
            time += gap
            return burst.sends(at: time, latency)
        }
    }

    @Test("the first eight messages of a burst are written at once, and the others gathered")
    func burst() {
        let result = gathered(Array(repeating: 9_000, count: 20))
        #expect(result == Array(repeating: false, count: 8) + Array(repeating: true, count: 12))
    }

    @Test("messages that come singly are never gathered, and a pause ends a burst")
    func pauses() {
        #expect(gathered(Array(repeating: 10_000, count: 50)).allSatisfy { !$0 })
        let result = gathered(
            Array(repeating: 1_000, count: 9) + [10_000]
                + Array(repeating: 1_000, count: 8))
        #expect(result == Array(repeating: false, count: 8) + [true] + Array(repeating: false, count: 8) + [true])
    }

    @Test("at the lowest latency nothing is gathered")
    func lowest() {
        #expect(gathered(Array(repeating: 0, count: 50), .lowest).allSatisfy { !$0 })
    }

    @Test("in a handler a burst may be slower, and what it has gathered is written after a millisecond at the latest")
    func handler() {
        var burst = BurstDetector()
        var time = start
        let result = (0..<40).map { _ in
            time += 99_000
            return burst.sendsInHandler(at: time)
        }
        // The eighth is written at once, and after it each eleventh.
        let times = Set((0..<40).filter { !result[$0] })
        #expect(times == Set(0..<8).union([18, 29]))
        time += 100_000
        let isGatheredAfterAPause = burst.sendsInHandler(at: time)
        #expect(!isGatheredAfterAPause)
    }

    @Test("bursts arrive to the last message on channels that share a loop, whatever else that hears of")
    func sharedLoop() async throws {
        let loop = try MessageLoop(named: "test-shared")
        try await withThrowingTaskGroup { group in
            for _ in 0..<3 {
                let (one, two) = try System.socketPair().split { ours, theirs in
                    let one = try End.open(ours, on: loop)
                    // Answered in the middle of a burst, so that the loop has something to read.
                    let two = try End.open(theirs) { end, event in
                        if event == .bytes([4]) { _ = try? end.channel.send(bytes: []) }
                    }
                    return (one, two)
                }
                // However slow the machine is, all that one task sends is one burst.
                one.channel.outbound.withLock {
                    $0.burst = BurstDetector(times: .init(gapOutside: .max, gapInHandler: .max, longestWait: .max))
                }
                group.addTask {
                    for burst in 1...500 {
                        for number in 0..<40 { try one.channel.send(bytes: [UInt8(number)]) }
                        try await two.journal.wait(forCount: 40 * burst)
                    }
                    let wanted = (0..<500).flatMap { _ in (0..<40).map { Event.bytes([$0]) } }
                    #expect(two.journal.entries == wanted)
                }
            }
            try await group.waitForAll()
        }
    }
}
