import Testing
import Wire

@testable import Messaging

@Suite("Credit")
struct CreditTests {
    @Test("a frame costs 64, its body, and 4,096 for each handle")
    func costs() {
        #expect(Cost.of(bodyCount: 0) == 64)
        #expect(Cost.of(bodyCount: 10, handleCount: 3) == 64 + 10 + 3 * 4096)
        #expect(Cost.of(FrameHeader(kind: .bytes, handleCount: 2, bodyCount: 5)) == 64 + 5 + 2 * 4096)
    }

    // MARK: Who sends

    @Test("a frame may be sent while any credit is left, and may go beyond it")
    func sending() {
        var credit = SendingCredit(limit: 100)
        credit.spend(99)
        #expect(credit.isLeft)
        credit.spend(1_000_000)
        #expect(!credit.isLeft)
        credit.raise(to: 1_000_099)
        #expect(!credit.isLeft)
        credit.raise(to: 1_000_100)
        #expect(credit.isLeft)
    }

    @Test("a limit that is lower than before changes nothing")
    func lowerLimits() {
        var credit = SendingCredit(limit: 100)
        credit.raise(to: 50)
        #expect(credit.limit == 100)
        credit.raise(to: 200)
        credit.raise(to: 199)
        #expect(credit.limit == 200)
    }

    // MARK: Who reads

    private func credit(announced: Int = 1000, window: Int = 1000) -> ReceivingCredit {
        ReceivingCredit(announced: announced, window: window)
    }

    @Test("nothing is granted before half of the window has come, and what was taken is granted then")
    func half() {
        var credit = credit()
        credit.receive(499)
        credit.take(499)
        #expect(credit.grant(gathered: 0) == nil)
        credit.receive(1)
        credit.take(1)
        #expect(credit.grant(gathered: 0) == 1500)
        #expect(credit.grant(gathered: 0) == nil)
    }

    @Test("what nobody takes is not granted")
    func untaken() {
        var credit = credit()
        credit.receive(1200)
        #expect(credit.grant(gathered: 0) == nil)
        #expect(!credit.isLeft)
        credit.take(100)
        #expect(credit.grant(gathered: 0) == nil)
        // A quarter of the window is worth a frame, once it is more than what has come already.
        credit.take(250)
        #expect(credit.grant(gathered: 0) == 1350)
        #expect(credit.isLeft)
    }

    @Test("a frame that went far beyond the limit is made up for first")
    func farBeyond() {
        var credit = credit()
        credit.receive(999)
        credit.receive(1_300_000)
        #expect(credit.grant(gathered: 0) == nil)
        for _ in 0..<10 {
            credit.take(100_000)
            // A limit behind what has come would let nothing be sent.
            #expect(credit.grant(gathered: 0) == nil)
        }
        credit.take(300_999)
        #expect(credit.grant(gathered: 0) == 1_301_999)
    }

    @Test("what is gathered of a message that is waited for is granted beyond the window")
    func gathered() {
        var credit = credit()
        credit.receive(1064)
        #expect(credit.grant(gathered: 1064) == 2064)
        credit.receive(1000)
        #expect(credit.grant(gathered: 2064) == 3064)
        // Nothing beyond what has come.
        credit.take(2064)
        credit.receive(990)
        #expect(credit.grant(gathered: 5000) == 4054)
    }

    @Test("the window that credit frames allow may be larger than the announced one, but not smaller")
    func announced() {
        var larger = credit(announced: 1000, window: 4000)
        larger.receive(500)
        larger.take(500)
        #expect(larger.grant(gathered: 0) == 4500)
        var smaller = credit(announced: 1000, window: 10)
        smaller.receive(500)
        smaller.take(500)
        #expect(smaller.grant(gathered: 0) == 1500)
    }

    @Test("an endless window needs no credit")
    func endless() {
        var credit = credit(announced: Hello.Limits.endlessWindow)
        credit.receive(1 << 40)
        credit.take(1 << 40)
        #expect(credit.grant(gathered: 0) == nil)
        #expect(credit.isLeft)
    }

    @Test("a peer that has no credit left is granted some as soon as all is taken")
    func neverStuck() {
        for seed: UInt64 in 0..<100 { exchange(seed) }
    }

    private func exchange(_ seed: UInt64) {
        var random = SeededRandom(seed)
        var credit = credit(announced: 1000, window: Int.random(in: 0...4000, using: &random))
        var sender = SendingCredit(limit: 1000)
        var untaken: [UInt64] = []
        for _ in 0..<300 {
            if sender.isLeft, Bool.random(using: &random) {
                let cost = UInt64.random(in: 64...(Bool.random(using: &random) ? 200 : 3000), using: &random)
                sender.spend(cost)
                credit.receive(cost)
                untaken.append(cost)
            } else if !untaken.isEmpty {
                credit.take(untaken.removeFirst())
            }
            if let limit = credit.grant(gathered: 0) { sender.raise(to: limit) }
            #expect(credit.limit == sender.limit && credit.offset == sender.offset)
            #expect(credit.offset - credit.taken < 4000 + 3000)
            if untaken.isEmpty { #expect(sender.isLeft) }
        }
    }
}
