import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Reactor

@Suite("Driving a loop")
struct DrivingTests {
    /// Drives the loop on a new thread until something runs that opens the latch.
    private final class Driver: Sendable {
        let outcome = Journal<Bool>()
        private let isDone = Atomic(false)
        private let loop: MessageLoop

        init(_ loop: MessageLoop) throws {
            self.loop = loop
            try Thread.start(name: "driver") { [self] in
                outcome.append(loop.drive { isDone.load(ordering: .acquiring) })
            }
        }

        /// Hands the end over to the loop, so that it comes after all that was handed over before.
        func finish() {
            loop.execute { self.isDone.store(true, ordering: .releasing) }
        }
    }

    @Test("a caller's thread drives the loop until it is done")
    func calling() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let journal = Journal<Int>()
        let driver = try Driver(loop)
        for number in 0..<100 {
            loop.execute {
                #expect(loop.isCurrent)
                journal.append(number)
            }
        }
        driver.finish()
        #expect(try await driver.outcome.wait(forCount: 1) == [true])
        #expect(journal.entries == Array(0..<100))
    }

    @Test("a background thread makes way for a caller, and nothing is lost, doubled or out of order")
    func takeOver() async throws {
        for _ in 0..<50 {
            let loop = try MessageLoop(named: "test-loop")
            try loop.ensureDriven()
            let journal = Journal<Int>()
            let threads = Journal<UInt>()
            try Thread.start(name: "sender") {
                for number in 0..<300 {
                    loop.execute {
                        journal.append(number)
                        if number.isMultiple(of: 100) { threads.append(Thread.current) }
                    }
                }
            }
            let driver = try Driver(loop)
            driver.finish()
            #expect(try await driver.outcome.wait(forCount: 1) == [true])
            // The background thread goes on after the caller.
            #expect(try await journal.wait(forCount: 300) == Array(0..<300))
        }
    }

    @Test("what is handed over to a loop that was driven before goes on being run when the caller leaves")
    func backgroundComesBack() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let journal = Journal<String>()
        let driver = try Driver(loop)
        let isHeld = Journal<Bool>()
        let latch = Latch()
        loop.execute {
            isHeld.append(true)
            latch.wait()
        }
        try await isHeld.wait(forCount: 1)
        try loop.ensureDriven()
        driver.finish()
        // It runs in the turn after the one that is the caller's last.
        loop.execute { loop.execute { journal.append("run") } }
        latch.open()
        #expect(try await driver.outcome.wait(forCount: 1) == [true])
        #expect(try await journal.wait(forCount: 1) == ["run"])
    }

    @Test("a handler can't drive its own loop, and a second caller is turned away")
    func refusal() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let answers = Journal<Bool>()
        let driver = try Driver(loop)
        let latch = Latch()
        loop.execute {
            answers.append(loop.drive { true })
            latch.wait()
        }
        #expect(try await answers.wait(forCount: 1) == [false])
        #expect(!loop.drive { true })
        driver.finish()
        latch.open()
        #expect(try await driver.outcome.wait(forCount: 1) == [true])
        #expect(loop.drive { true })
    }

    @Test("timers and descriptors go on under a caller's thread")
    func everything() async throws {
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        let journal = Journal<String>()
        try await System.socketPair().held { ours, theirs in
            let watch = try loop.watch(ours) { if $0.contains(.readable) { journal.append("readable") } }
            let driver = try Driver(loop)
            _ = loop.schedule(after: .milliseconds(5)) { journal.append("timer") }
            write(theirs)
            #expect(try await Set(journal.wait(forCount: 2)) == ["readable", "timer"])
            driver.finish()
            try await driver.outcome.wait(forCount: 1)
            loop.unwatch(watch)
        }
    }

    @Test("a loop that nobody refers to any more ends its thread and closes its descriptors")
    func release() async {
        await #expect(processExitsWith: .success) {
            let before = try await ThisProcess.settledDescriptors()
            for round in 0..<5 {
                var loop: MessageLoop? = try MessageLoop(named: "to-be-released")
                let journal = Journal<Int>()
                try loop?.ensureDriven()
                loop?.execute { journal.append(round) }
                try await journal.wait(forCount: 1)
                #expect(ThisProcess.threadNames.contains("to-be-released"))
                loop = nil
                try await eventually("the thread ends") { !ThisProcess.threadNames.contains("to-be-released") }
                #expect(ThisProcess.descriptors == before)
            }
        }
    }

    @Test("a loop that was never driven closes its descriptors, and lets go of what was handed over")
    func releaseUndriven() async {
        await #expect(processExitsWith: .success) {
            let before = try await ThisProcess.settledDescriptors()
            let journal = Journal<String>()
            func use() throws {
                let held = Ending { journal.append("ended") }
                let loop = try MessageLoop(named: "never-driven")
                loop.execute { withExtendedLifetime(held) {} }
                _ = loop.schedule(after: .zero) { withExtendedLifetime(held) {} }
            }
            try use()
            #expect(journal.entries == ["ended"])
            #expect(ThisProcess.descriptors == before)
        }
    }

    @Test("a loop may be released by something that runs on it")
    func releaseInside() async throws {
        let journal = Journal<String>()
        func use() throws {
            let loop = try MessageLoop(named: "inner-end")
            try loop.ensureDriven()
            loop.execute { withExtendedLifetime(loop) { journal.append("run") } }
        }
        try use()
        try await journal.wait(forCount: 1)
        try await eventually("the thread ends") { !ThisProcess.threadNames.contains("inner-end") }
    }
}

private final class Ending: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    deinit { body() }
}
