import Testing

@testable import Reactor

/// A driver whose changes can stand in an expectation.
private final class Driver {
    enum TakeOver { case start, wait, refuse }

    private var driver = LoopDriver()
    /// What the last caller waits for.
    private(set) var latch: Latch?

    var backgroundStays: Bool { driver.backgroundStays }
    var wantsChange: Bool { driver.wantsChange }

    func startBackground() -> Bool { driver.startBackground() }
    func backgroundLeaves() -> Latch? { driver.backgroundLeaves() }
    func callerLeaves(hasJobs: Bool = false) -> Bool { driver.callerLeaves(hasJobs: hasJobs) }
    func startIfUndriven() -> Bool { driver.startIfUndriven() }
    func waitForCaller() -> Latch? { driver.waitForCaller() }
    func takeCallersEnd() -> Latch? { driver.takeCallersEnd() }
    func stop() { driver.stop() }

    func takeOver() -> TakeOver {
        switch driver.takeOver() {
        case .start: return .start
        case .wait(let latch):
            self.latch = latch
            return .wait
        case .refuse: return .refuse
        }
    }
}

@Suite("Loop driver")
struct LoopDriverTests {
    @Test("a background thread is started once")
    func background() {
        let driver = Driver()
        #expect(!driver.backgroundStays)
        #expect(driver.startBackground())
        #expect(!driver.startBackground())
        #expect(driver.backgroundStays)
        #expect(!driver.wantsChange)
    }

    @Test("a caller drives a loop that nobody drives, and nobody after it when nobody was asked for")
    func caller() {
        let driver = Driver()
        #expect(driver.takeOver() == .start)
        #expect(driver.takeOver() == .refuse)
        #expect(!driver.backgroundStays)
        #expect(!driver.callerLeaves())
        #expect(driver.startBackground())
    }

    @Test("a background thread that was asked for meanwhile is started when the caller leaves")
    func askedFor() {
        let driver = Driver()
        #expect(driver.takeOver() == .start)
        #expect(!driver.startBackground())
        #expect(driver.callerLeaves())
        #expect(driver.backgroundStays)
        #expect(!driver.startBackground())
    }

    @Test("a background thread takes over what was handed over just before the caller left")
    func jobsAtTheEnd() {
        let driver = Driver()
        #expect(driver.takeOver() == .start)
        #expect(driver.callerLeaves(hasJobs: true))
        #expect(driver.backgroundStays)
    }

    @Test("a job that needs a thread starts one only where nobody drives, also not for afterwards")
    func undriven() {
        let driver = Driver()
        #expect(driver.takeOver() == .start)
        #expect(!driver.startIfUndriven())
        #expect(!driver.callerLeaves())
        #expect(driver.startIfUndriven())
        #expect(driver.backgroundStays)
        #expect(!driver.startIfUndriven())
    }

    @Test("the background thread makes way for a caller, and comes back after it")
    func handOver() throws {
        let driver = Driver()
        #expect(driver.startBackground())
        #expect(driver.takeOver() == .wait)
        #expect(driver.wantsChange)
        #expect(!driver.backgroundStays)
        #expect(driver.takeOver() == .refuse)
        #expect(!driver.startBackground())
        #expect(driver.backgroundLeaves() != nil)
        #expect(!driver.wantsChange)
        #expect(driver.takeOver() == .refuse)
        #expect(driver.callerLeaves())
        #expect(driver.backgroundStays)
    }

    @Test("a background thread that could not be started lets the caller go on that waits for it")
    func failedStart() throws {
        let driver = Driver()
        #expect(driver.startBackground())
        #expect(driver.takeOver() == .wait)
        #expect(driver.latch != nil)
        #expect(driver.backgroundLeaves() === driver.latch)
    }

    @Test("the end of a caller can be waited for, by several and while it takes over, and only while there is one")
    func callersEnd() throws {
        let driver = Driver()
        #expect(driver.waitForCaller() == nil)
        #expect(driver.startBackground())
        #expect(driver.waitForCaller() == nil)
        _ = driver.takeOver()
        let latch = try #require(driver.waitForCaller())
        _ = driver.backgroundLeaves()
        #expect(driver.waitForCaller() === latch)
        _ = driver.callerLeaves(hasJobs: false)
        #expect(driver.takeCallersEnd() === latch)
        #expect(driver.takeCallersEnd() == nil)
    }

    @Test("a loop that is stopped lets its background thread leave, and nobody take over")
    func stop() {
        let driver = Driver()
        driver.stop()
        #expect(driver.startBackground())
        driver.stop()
        #expect(!driver.backgroundStays)
        #expect(driver.wantsChange)
        #expect(driver.takeOver() == .refuse)
        #expect(!driver.startBackground())
        #expect(driver.backgroundLeaves() == nil)
        #expect(!driver.wantsChange)
    }
}
