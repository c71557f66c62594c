import Testing

@testable import Reactor

@Suite("Timer queue")
struct TimerQueueTests {
    @Test("timers come in the order of their time, and in the order they were added where that is the same")
    func order() {
        var queue = TimerQueue<Int, String>()
        _ = queue.add(at: 5, "late")
        _ = queue.add(at: 1, "first")
        _ = queue.add(at: 1, "second")
        let deadline = queue.nextDeadline()
        let early = queue.popDue(at: 0)
        let due = [queue.popDue(at: 9), queue.popDue(at: 9), queue.popDue(at: 9)]
        #expect(deadline == 1)
        #expect(early == nil)
        #expect(due == ["first", "second", "late"])
        #expect(queue.isEmpty)
    }

    @Test("a cancelled timer neither fires nor holds the deadline")
    func cancellation() {
        var queue = TimerQueue<Int, String>()
        let early = queue.add(at: 1, "early")
        _ = queue.add(at: 2, "kept")
        let first = queue.cancel(early)
        let second = queue.cancel(early)
        #expect(first)
        #expect(!second)
        let deadline = queue.nextDeadline()
        let due = queue.popDue(at: 2)
        let last = queue.nextDeadline()
        #expect(deadline == 2)
        #expect(due == "kept")
        #expect(last == nil)
    }
}
