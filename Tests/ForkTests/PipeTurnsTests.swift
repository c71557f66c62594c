import Testing

@testable import Fork

@Suite("Turns at a pipe")
struct PipeTurnsTests {
    private typealias Turns = PipeTurns<String>

    private func enter(_ turns: inout Turns, _ id: UInt64) -> String {
        switch turns.enter(id, "\(id)") {
        case .go: "go"
        case .wait: "wait"
        case .refuse(let end): "refuse \(end)"
        }
    }

    private func block(_ turns: inout Turns, _ id: UInt64) -> String {
        switch turns.block(id, "\(id)") {
        case .wait: "wait"
        case .refuse(let end, let closes): "refuse \(end) closes \(closes)"
        }
    }

    @Test("one has the turn at a time, and the others get it in the order in which they came")
    func order() {
        var turns = Turns()
        #expect(enter(&turns, 1) == "go")
        #expect(enter(&turns, 2) == "wait")
        #expect(enter(&turns, 3) == "wait")
        let left1 = turns.leave()
        #expect(left1.next == "2")
        #expect(enter(&turns, 4) == "wait")
        let left2 = turns.leave()
        #expect(left2.next == "3")
        let left3 = turns.leave()
        #expect(left3.next == "4")
        let left4 = turns.leave()
        #expect(left4.next == nil)
        #expect(enter(&turns, 5) == "go")
    }

    @Test("who finds the pipe full keeps the turn until it is ready; readiness that nobody waits for is nothing")
    func readiness() {
        var turns = Turns()
        let ready5 = turns.becameReady()
        #expect(ready5 == nil)
        #expect(enter(&turns, 1) == "go")
        let ready6 = turns.becameReady()
        #expect(ready6 == nil)
        #expect(block(&turns, 1) == "wait")
        #expect(enter(&turns, 2) == "wait")
        let ready7 = turns.becameReady()
        #expect(ready7 == "1")
        let ready8 = turns.becameReady()
        #expect(ready8 == nil)
        let left9 = turns.leave()
        #expect(left9.next == "2")
    }

    @Test("a waiter that is cancelled leaves its place; one that has the turn passes it on")
    func cancellation() {
        var turns = Turns()
        _ = enter(&turns, 1)
        _ = enter(&turns, 2)
        _ = enter(&turns, 3)
        let cancelled10 = turns.cancel(2)
        #expect(cancelled10.cancelled == "2")
        let cancelled11 = turns.cancel(2)
        #expect(cancelled11.cancelled == nil)
        // Who is making a system call is not waiting.
        let cancelled12 = turns.cancel(1)
        #expect(cancelled12.cancelled == nil)
        _ = block(&turns, 1)
        let action = turns.cancel(1)
        #expect(action.cancelled == "1")
        #expect(action.left.next == "3")
        #expect(!action.left.closes)
    }

    @Test("after finish nobody may come, those who have come are served, and then the pipe is closed, once")
    func finish() {
        var turns = Turns()
        _ = enter(&turns, 1)
        _ = enter(&turns, 2)
        let finished13 = turns.finish()
        #expect(!finished13)
        #expect(enter(&turns, 3) == "refuse finished")
        #expect(block(&turns, 1) == "wait")
        let ready14 = turns.becameReady()
        #expect(ready14 == "1")
        let left15 = turns.leave()
        #expect(left15.next == "2")
        #expect(!turns.isOver)
        let left16 = turns.leave()
        #expect(left16.closes)
        #expect(turns.isOver)
        let finished17 = turns.finish()
        #expect(!finished17)
        let broken18 = turns.breakOff(.peerClosed)
        #expect(!broken18.closes)

        var idle = Turns()
        let finished19 = idle.finish()
        #expect(finished19)
        let finished20 = idle.finish()
        #expect(!finished20)
    }

    @Test("after finish the last waiter's cancellation closes the pipe")
    func finishAndCancel() {
        var turns = Turns()
        _ = enter(&turns, 1)
        _ = block(&turns, 1)
        let finished21 = turns.finish()
        #expect(!finished21)
        let cancelled22 = turns.cancel(1)
        #expect(cancelled22.left.closes)
    }

    @Test("a broken pipe refuses all who wait and closes at once, also one that was finished")
    func broken() {
        var turns = Turns()
        _ = enter(&turns, 1)
        _ = enter(&turns, 2)
        _ = block(&turns, 1)
        _ = turns.finish()
        let action = turns.breakOff(.childEnded)
        #expect(action.refused == ["1", "2"])
        #expect(action.closes)
        #expect(enter(&turns, 3) == "refuse childEnded")
        let broken23 = turns.breakOff(.peerClosed)
        #expect(broken23.refused.isEmpty)
    }

    @Test("while somebody makes a system call a broken pipe stays open, and is closed by whoever made it")
    func brokenMeanwhile() {
        var turns = Turns()
        _ = enter(&turns, 1)
        _ = enter(&turns, 2)
        let action = turns.breakOff(.childEnded)
        #expect(action.refused == ["2"])
        #expect(!action.closes)
        var other = turns
        #expect(block(&turns, 1) == "refuse childEnded closes true")
        let left24 = other.leave()
        #expect(left24.closes)
        #expect(other.isOver)
    }
}
