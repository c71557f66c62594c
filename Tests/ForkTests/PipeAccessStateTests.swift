import Testing

@testable import Fork

@Suite("Access to a pipe")
struct PipeAccessStateTests {
    private typealias Access = PipeAccessState<String>

    private func enter(_ access: inout Access, _ id: UInt64) -> String {
        switch access.enter(id, "\(id)") {
        case .go: "go"
        case .wait: "wait"
        case .refuse(let end): "refuse \(end)"
        }
    }

    private func block(_ access: inout Access, _ id: UInt64) -> String {
        switch access.block(id, "\(id)") {
        case .wait: "wait"
        case .refuse(let end, let closes): "refuse \(end) closes \(closes)"
        }
    }

    @Test("one has the turn at a time, and the others get it in the order in which they came")
    func order() {
        var access = Access()
        #expect(enter(&access, 1) == "go")
        #expect(enter(&access, 2) == "wait")
        #expect(enter(&access, 3) == "wait")
        let left1 = access.leave()
        #expect(left1.next == "2")
        #expect(enter(&access, 4) == "wait")
        let left2 = access.leave()
        #expect(left2.next == "3")
        let left3 = access.leave()
        #expect(left3.next == "4")
        let left4 = access.leave()
        #expect(left4.next == nil)
        #expect(enter(&access, 5) == "go")
    }

    @Test("who finds the pipe full keeps the turn until it is ready; readiness that nobody waits for is nothing")
    func readiness() {
        var access = Access()
        let ready5 = access.becameReady()
        #expect(ready5 == nil)
        #expect(enter(&access, 1) == "go")
        let ready6 = access.becameReady()
        #expect(ready6 == nil)
        #expect(block(&access, 1) == "wait")
        #expect(enter(&access, 2) == "wait")
        let ready7 = access.becameReady()
        #expect(ready7 == "1")
        let ready8 = access.becameReady()
        #expect(ready8 == nil)
        let left9 = access.leave()
        #expect(left9.next == "2")
    }

    @Test("a waiter that is cancelled leaves its place; one that has the turn passes it on")
    func cancellation() {
        var access = Access()
        _ = enter(&access, 1)
        _ = enter(&access, 2)
        _ = enter(&access, 3)
        let cancelled10 = access.cancel(2)
        #expect(cancelled10.cancelled == "2")
        let cancelled11 = access.cancel(2)
        #expect(cancelled11.cancelled == nil)
        // Who is making a system call is not waiting.
        let cancelled12 = access.cancel(1)
        #expect(cancelled12.cancelled == nil)
        _ = block(&access, 1)
        let action = access.cancel(1)
        #expect(action.cancelled == "1")
        #expect(action.left.next == "3")
        #expect(!action.left.closes)
    }

    @Test("after finish nobody may come, those who have come are served, and then the pipe is closed, once")
    func finish() {
        var access = Access()
        _ = enter(&access, 1)
        _ = enter(&access, 2)
        let finished13 = access.finish()
        #expect(!finished13)
        #expect(enter(&access, 3) == "refuse finished")
        #expect(block(&access, 1) == "wait")
        let ready14 = access.becameReady()
        #expect(ready14 == "1")
        let left15 = access.leave()
        #expect(left15.next == "2")
        #expect(!access.isOver)
        let left16 = access.leave()
        #expect(left16.closes)
        #expect(access.isOver)
        let finished17 = access.finish()
        #expect(!finished17)
        let broken18 = access.breakOff(.peerClosed)
        #expect(!broken18.closes)

        var idle = Access()
        let finished19 = idle.finish()
        #expect(finished19)
        let finished20 = idle.finish()
        #expect(!finished20)
    }

    @Test("after finish the last waiter's cancellation closes the pipe")
    func finishAndCancel() {
        var access = Access()
        _ = enter(&access, 1)
        _ = block(&access, 1)
        let finished21 = access.finish()
        #expect(!finished21)
        let cancelled22 = access.cancel(1)
        #expect(cancelled22.left.closes)
    }

    @Test("a broken pipe refuses all who wait and closes at once, also one that was finished")
    func broken() {
        var access = Access()
        _ = enter(&access, 1)
        _ = enter(&access, 2)
        _ = block(&access, 1)
        _ = access.finish()
        let action = access.breakOff(.childEnded)
        #expect(action.refused == ["1", "2"])
        #expect(action.closes)
        #expect(enter(&access, 3) == "refuse childEnded")
        let broken23 = access.breakOff(.peerClosed)
        #expect(broken23.refused.isEmpty)
    }

    @Test("while somebody makes a system call a broken pipe stays open, and is closed by whoever made it")
    func brokenMeanwhile() {
        var access = Access()
        _ = enter(&access, 1)
        _ = enter(&access, 2)
        let action = access.breakOff(.childEnded)
        #expect(action.refused == ["2"])
        #expect(!action.closes)
        var other = access
        #expect(block(&access, 1) == "refuse childEnded closes true")
        let left24 = other.leave()
        #expect(left24.closes)
        #expect(other.isOver)
    }
}
