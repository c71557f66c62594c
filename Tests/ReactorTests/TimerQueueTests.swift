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
        #expect(queue.nextDeadline() == 1)
        #expect(queue.popDue(at: 0) == nil)
        #expect([queue.popDue(at: 9), queue.popDue(at: 9), queue.popDue(at: 9)] == ["first", "second", "late"])
        #expect(queue.isEmpty)
    }

    @Test("a cancelled timer neither fires nor holds the deadline")
    func cancellation() {
        var queue = TimerQueue<Int, String>()
        let early = queue.add(at: 1, "early")
        _ = queue.add(at: 2, "kept")
        #expect(queue.cancel(early) == "early")
        #expect(queue.cancel(early) == nil)
        #expect(queue.nextDeadline() == 2)
        #expect(queue.popDue(at: 2) == "kept")
        #expect(queue.nextDeadline() == nil)
    }
}
