import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Reactor

@Suite("A loop as an executor")
struct ExecutorTests {
    private actor Counter {
        private let loop: MessageLoop
        private(set) var count = 0

        init(loop: MessageLoop) {
            self.loop = loop
        }

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        func increase() -> Bool {
            count += 1
            return loop.isCurrent
        }
    }

    @Test("an actor whose executor is a loop runs on it, and starts its thread")
    func actor() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let counter = Counter(loop: loop)
        let areCurrent = try await within {
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<200 { group.addTask { await counter.increase() } }
                return await group.reduce(true) { $0 && $1 }
            }
        }
        #expect(areCurrent)
        #expect(await counter.count == 200)
    }

    @Test("a handler of the loop may touch an actor of the loop without waiting")
    func assumption() async throws {
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        let counter = Counter(loop: loop)
        let journal = Journal<Bool>()
        loop.execute {
            journal.append(counter.assumeIsolated { $0.increase() })
        }
        #expect(try await journal.wait(forCount: 1) == [true])
    }

    @Test("a task that prefers the loop runs on it, and comes back to it after each wait")
    func preference() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let places = try await within {
            await withTaskExecutorPreference(loop.taskExecutor) {
                var places = [loop.isCurrent]
                await Task.yield()
                places.append(loop.isCurrent)
                try? await Task.sleep(for: .milliseconds(1))
                places.append(loop.isCurrent)
                return places
            }
        }
        #expect(places == [true, true, true])
    }

    @Test("a loop is there after tasks that were made with it, for other tasks, actors and handlers, and then ends")
    func madeTasks() async {
        await #expect(processExitsWith: .success) {
            var loop: MessageLoop? = try MessageLoop(name: "with-tasks")
            try await Self.runTasks(on: try #require(loop))
            loop = nil
            try await eventually("the thread ends") { !ThisProcess.threadNames.contains("with-tasks") }
        }
    }

    private static func runTasks(on loop: MessageLoop) async throws {
        let counter = Counter(loop: loop)
        for _ in 0..<5 {
            #expect(await Task(executorPreference: loop.taskExecutor) { loop.isCurrent }.value)
            let inGroup = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<3 { group.addTask(executorPreference: loop.taskExecutor) { loop.isCurrent } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(inGroup == [true, true, true])
            #expect(await counter.increase())
            let journal = Journal<Bool>()
            loop.execute { journal.append(loop.isCurrent) }
            #expect(try await journal.wait(forCount: 1) == [true])
        }
    }

    @Test("a task may be the last that knows of its loop")
    func lastReference() async throws {
        for _ in 0..<50 {
            weak var gone: MessageLoop?
            let (signals, signal) = AsyncStream.makeStream(of: Void.self)
            let task: Task<Int, Never>
            do {
                let loop = try MessageLoop(named: "test-loop")
                gone = loop
                task = Task(executorPreference: loop.taskExecutor) {
                    var count = 0
                    for await _ in signals { count += 1 }
                    return count
                }
            }
            for _ in 0..<3 {
                signal.yield()
                await Task.yield()
            }
            signal.finish()
            #expect(try await within { await task.value } == 3)
            #expect(gone == nil)
        }
    }

    @Test("what a waiting loop has taken is run, also where its driver is about to leave")
    func closureAtTheEnd() async throws {
        for _ in 0..<200 {
            let loop = try MessageLoop(named: "test-loop")
            let ran = Journal<Bool>()
            let isDone = Flag()
            let driver = Journal<Bool>()
            #expect(!loop.executeIfWaiting { ran.append(false) })
            try Thread.start(name: "driver") { driver.append(loop.drive { isDone.isSet }) }
            var taken = 0
            while taken == 0 { taken += loop.executeIfWaiting { ran.append(true) } ? 1 : 0 }
            isDone.set()
            loop.execute {}
            for _ in 0..<50 where loop.executeIfWaiting({ ran.append(true) }) { taken += 1 }
            #expect(try await ran.wait(forCount: taken) == Array(repeating: true, count: taken))
            #expect(try await driver.wait(forCount: 1) == [true])
        }
    }

    @Test("what a waiting loop has taken is run, also where others hand it something and events end its wait")
    func takenByThreads() async throws {
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        let (taken, ran) = (Counted(), Counted())
        let ended = Journal<Bool>()
        try await System.socketPair().held { ours, theirs in
            let watch = try loop.watch(ours) { _ in drain(ours) }
            for _ in 0..<3 {
                try Thread.start(name: "asker") {
                    while taken.count < 10_000 {
                        if loop.executeIfWaiting({ ran.add() }) { taken.add() }
                        write(theirs)
                    }
                    ended.append(true)
                }
            }
            try await ended.wait(forCount: 3)
            try await eventually("all that was taken is run") { ran.count == taken.count }
            loop.unwatch(watch)
        }
    }

    @Test("a loop that is in a handler takes nothing that has to be done at once, and does it before the next handler")
    func urgent() async throws {
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        let journal = Journal<String>()
        let (entered, leave) = (Latch(), Latch())
        loop.execute {
            entered.open()
            leave.wait()
            journal.append("handler")
        }
        entered.wait()
        #expect(!loop.executeIfWaiting { journal.append("never") })
        leave.open()
        while !loop.executeIfWaiting({ journal.append("urgent") }) { await Task.yield() }
        loop.execute { journal.append("later") }
        #expect(try await journal.wait(forCount: 3) == ["handler", "urgent", "later"])
    }

    @Test("a job is run also where it comes just when a caller's thread stops driving")
    func jobAtTheEnd() async throws {
        for _ in 0..<200 {
            let loop = try MessageLoop(named: "test-loop")
            let counter = Counter(loop: loop)
            let drove = Journal<Bool>()
            let isDone = Flag()
            try Thread.start(name: "driver") { drove.append(loop.drive { isDone.isSet }) }
            let work = Task {
                for _ in 0..<20 { _ = await counter.increase() }
            }
            loop.execute { isDone.set() }
            try await within { await work.value }
            #expect(try await drove.wait(forCount: 1).count == 1)
            // Where the driver came after the flag, nobody has driven it.
            _ = loop
        }
    }
}

private final class Counted: Sendable {
    private let value = Atomic(0)

    var count: Int { value.load(ordering: .sequentiallyConsistent) }

    func add() { value.add(1, ordering: .sequentiallyConsistent) }
}

/// Something that has happened, or not yet.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}
