import JSONCodec
import Testing
import Wire

@testable import Messaging

@Suite("Backlog")
struct BacklogTests {
    private func append(_ body: [UInt8], to backlog: inout Backlog, cost: UInt64 = 0) {
        backlog.append(.bytes, .owned(body), nil, nil, cost: cost)
    }

    private func popFirst(_ backlog: inout Backlog) -> [UInt8]? {
        backlog.popFirst { _, body in body.bytes() }
    }

    private func body(_ number: Int, _ count: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: count)
    }

    @Test("messages come out in their order with their bytes, small and large, in whatever mixture")
    func order() {
        for seed: UInt64 in 0..<10 { exchange(seed) }
    }

    private func exchange(_ seed: UInt64) {
        var random = SeededRandom(seed)
        var backlog = Backlog()
        var expected: [[UInt8]] = []
        for number in 0..<400 {
            if random.isOne(in: 2) {
                let size = [0, random.number(1...100), 16_384, 16_385, 50_000][random.number(0...4)]
                expected.append(body(number, size))
                append(body(number, size), to: &backlog)
            } else {
                #expect(popFirst(&backlog) == (expected.isEmpty ? nil : expected.removeFirst()))
            }
        }
        while !expected.isEmpty { #expect(popFirst(&backlog) == expected.removeFirst()) }
        #expect(backlog.isEmpty && backlog.size == 0)
    }

    @Test("an entry keeps its kind, description and cost, and a failure its error")
    func entries() {
        var backlog = Backlog()
        backlog.append(.message, .owned([1]), MessageDescription(name: "a"), nil, cost: 7)
        backlog.append(.handlesLost(announced: 3), cost: 8)
        let entry = backlog.popFirst { entry, _ in entry }
        #expect(entry?.kind == .message && entry?.description?.name == "a" && entry?.cost == 7)
        let failure = backlog.popFirst { entry, _ in entry }
        #expect(failure?.cost == 8)
        guard case .failure(.handlesLost(announced: 3)) = failure?.content else {
            Issue.record("it is no failure")
            return
        }
        #expect(backlog.size == 0)
    }

    @Test("a backlog that is never empty does not grow")
    func neverEmpty() {
        var backlog = Backlog()
        append(body(0, 1000), to: &backlog)
        for number in 1..<10_000 {
            append(body(number, 1000), to: &backlog)
            #expect(popFirst(&backlog)?.first == UInt8(truncatingIfNeeded: number - 1))
            #expect(backlog.commonCount < 64 * 1024)
        }
    }
}
