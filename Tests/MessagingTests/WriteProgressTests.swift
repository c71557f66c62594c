import Testing

@testable import Messaging

@Suite("Write progress")
struct WriteProgressTests {
    @Test("who waits is told when all that came before is written, whatever comes after")
    func waiting() {
        var progress = WriteProgress()
        #expect(!progress.hasAccepted)
        progress.accepted(10)
        progress.wait(1)
        progress.accepted(5)
        progress.wait(2)
        progress.accepted(1)
        #expect(progress.remaining == 16 && progress.epoch == 2 && progress.hasAccepted)
        progress.finished(9, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [])
        progress.finished(1, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [1])
        #expect(progress.takeFinishedWaiters() == [])
        progress.finished(5, epoch: 1)
        #expect(progress.takeFinishedWaiters() == [2])
        #expect(progress.remaining == 1)
    }

    @Test("what is written out of order finishes nobody who waits for what is older")
    func outOfOrder() {
        var progress = WriteProgress()
        progress.accepted(10)
        progress.wait(1)
        progress.accepted(5)
        progress.wait(2)
        progress.finished(5, epoch: 1)
        #expect(progress.takeFinishedWaiters() == [])
        progress.finished(10, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [1, 2])
    }

    @Test("several who wait for the same are told together")
    func together() {
        var progress = WriteProgress()
        progress.accepted(1)
        for id: UInt64 in 1...3 { progress.wait(id) }
        progress.finished(1, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [1, 2, 3])
    }

    @Test("what grows while it waits counts for those who wait for it")
    func requeued() {
        var progress = WriteProgress()
        progress.accepted(10)
        progress.wait(1)
        progress.requeued(16, epoch: 0)
        progress.finished(10, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [])
        progress.finished(16, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [1])
        // Written before, and once more: counted with the oldest there is.
        progress.requeued(4, epoch: 0)
        #expect(progress.remaining == 4)
        progress.finished(4, epoch: 0)
        #expect(progress.remaining == 0)
    }

    @Test("who is forgotten is not told, and who has been told can't be forgotten")
    func cancelling() {
        var progress = WriteProgress()
        progress.accepted(1)
        for id: UInt64 in 1...3 { progress.wait(id) }
        #expect(progress.cancelWait(2) == true)
        #expect(progress.cancelWait(2) == false)
        progress.finished(1, epoch: 0)
        #expect(progress.takeFinishedWaiters() == [1, 3])
        #expect(progress.cancelWait(1) == false)
    }

    @Test("where nothing more is written all who wait are given out")
    func failing() {
        var progress = WriteProgress()
        progress.accepted(1)
        progress.wait(1)
        progress.accepted(1)
        progress.wait(2)
        progress.removeAll()
        #expect(progress.takeWaiters() == [1, 2])
        #expect(progress.remaining == 0)
        #expect(progress.takeFinishedWaiters() == [])
    }
}
