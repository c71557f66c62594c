import Reactor
import Testing

@testable import Messaging

@Suite("Bursts of sends")
struct SendBurstTests {
    private let start = SuspendingClock.now

    private func gathered(_ gaps: [Duration], _ latency: EventLoop.Latency = .balanced) -> [Bool] {
        var burst = SendBurst()
        var time = start
        return gaps.map { gap in
            time += gap
            return burst.sends(at: time, latency)
        }
    }

    @Test("the first eight messages of a burst are written at once, and the others gathered")
    func burst() {
        let result = gathered(Array(repeating: .microseconds(9), count: 20))
        #expect(result == Array(repeating: false, count: 8) + Array(repeating: true, count: 12))
    }

    @Test("messages that come singly are never gathered, and a pause ends a burst")
    func pauses() {
        #expect(gathered(Array(repeating: .microseconds(10), count: 50)).allSatisfy { !$0 })
        let result = gathered(
            Array(repeating: .microseconds(1), count: 9) + [.microseconds(10)]
                + Array(repeating: .microseconds(1), count: 8))
        #expect(result == Array(repeating: false, count: 8) + [true] + Array(repeating: false, count: 8) + [true])
    }

    @Test("at the lowest latency nothing is gathered")
    func lowest() {
        #expect(gathered(Array(repeating: .zero, count: 50), .lowest).allSatisfy { !$0 })
    }
}
