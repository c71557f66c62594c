import SystemPackage
import TestSupport
import Testing

@testable import Reactor

@Suite("Message loop")
struct MessageLoopTests {
    private static func drivenLoop() throws -> MessageLoop {
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        return loop
    }

    // MARK: Handing over

    @Test("what is handed over runs in that order, on the loop")
    func order() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<Int>()
        for number in 0..<1000 {
            loop.execute {
                #expect(loop.isCurrent)
                journal.append(number)
            }
        }
        #expect(try await journal.wait(forCount: 1000) == Array(0..<1000))
        #expect(!loop.isCurrent)
    }

    @Test("what is handed over by something that runs comes after what was handed over before")
    func nested() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let journal = Journal<String>()
        loop.execute {
            journal.append("first")
            loop.execute { journal.append("nested") }
        }
        loop.execute { journal.append("second") }
        try loop.ensureDriven()
        #expect(try await journal.wait(forCount: 3) == ["first", "second", "nested"])
    }

    @Test("what was handed over before the loop looked for events runs before they are passed on")
    func jobsBeforeEvents() async throws {
        try await System.socketPair().held { ours, theirs in
            let loop = try MessageLoop(named: "test-loop")
            let journal = Journal<String>()
            let watch = try loop.watch(ours) { _ in journal.append("event") }
            write(theirs)
            loop.execute { journal.append("job") }
            try loop.ensureDriven()
            #expect(try await journal.wait(forCount: 2) == ["job", "event"])
            loop.unwatch(watch)
        }
    }

    @Test("a sleeping loop is woken up by every thread, and keeps each one's order")
    func threads() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<(thread: Int, number: Int)>()
        for thread in 0..<4 {
            try Thread.start(name: "sender") {
                for number in 0..<500 { loop.execute { journal.append((thread, number)) } }
            }
        }
        let entries = try await journal.wait(forCount: 2000)
        for thread in 0..<4 {
            #expect(entries.filter { $0.thread == thread }.map(\.number) == Array(0..<500))
        }
    }

    @Test("what was handed over runs even where the loop is let go at once")
    func lastWords() async throws {
        let journal = Journal<Int>()
        for number in 0..<200 { try MessageLoop(name: "short-lived").execute { journal.append(number) } }
        try await journal.wait(forCount: 200)
    }

    @Test("a loop that was made by its public initializer starts with its first use")
    func publicLoop() async throws {
        let loop = try MessageLoop(name: "a-name-of-the-user")
        let journal = Journal<Bool>()
        loop.execute { journal.append(loop.isCurrent) }
        #expect(try await journal.wait(forCount: 1) == [true])
    }

    // MARK: Timers

    @Test("timers fire in the order of their time, not before it, and not when they are cancelled")
    func timers() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<String>()
        let start = SuspendingClock.now
        _ = loop.schedule(after: .milliseconds(60)) { journal.append("last") }
        _ = loop.schedule(after: .milliseconds(20)) {
            #expect(SuspendingClock.now >= start + .milliseconds(20))
            journal.append("first")
        }
        let cancelled = loop.schedule(after: .milliseconds(30)) { journal.append("cancelled") }
        _ = loop.schedule(after: .milliseconds(40)) { journal.append("second") }
        loop.cancel(cancelled)
        #expect(try await journal.wait { $0.last == "last" } == ["first", "second", "last"])
        loop.cancel(cancelled)
    }

    @Test("a timer that is nearer than the one the loop sleeps for is not late")
    func nearerTimer() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<String>()
        let far = loop.schedule(after: .seconds(3600)) { journal.append("far") }
        _ = loop.schedule(after: .milliseconds(1)) { journal.append("near") }
        #expect(try await journal.wait(forCount: 1) == ["near"])
        loop.cancel(far)
    }

    @Test("a timer of no delay fires, and one that a timer sets fires too")
    func chainedTimers() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<Int>()
        _ = loop.schedule(after: .zero) {
            journal.append(1)
            _ = loop.schedule(after: .zero) { journal.append(2) }
        }
        #expect(try await journal.wait(forCount: 2) == [1, 2])
    }

    @Test("what a cancelled timer held may call the loop when it ends")
    func timerLifetime() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<String>()
        let timer = schedule(holding: Last { loop.execute { journal.append("ended") } }, on: loop)
        loop.cancel(timer)
        #expect(try await journal.wait(forCount: 1) == ["ended"])
    }

    private func schedule(holding last: Last, on loop: MessageLoop) -> MessageLoop.TimerID {
        loop.schedule(after: .seconds(3600)) { withExtendedLifetime(last) {} }
    }

    // MARK: Idling

    @Test("a loop that has nothing to do takes no turns, with timers ahead and a closed peer under watch")
    func idle() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<Readiness>()
        let timer = loop.schedule(after: .seconds(3600)) {}
        let (ours, watch) = try System.socketPair().split { ours, _ in
            // The peer's end closes when this returns.
            let watch = try loop.watch(ours.rawValue) { journal.append($0) }
            return (ours.take(), watch)
        }
        try await journal.wait { $0.contains { $0.contains(.peerClosed) } }
        var turns: UInt64 = 0
        try await eventually("the loop falls asleep") {
            defer { turns = loop.core.turns }
            return turns == loop.core.turns
        }
        try await stays(for: .milliseconds(300)) { loop.core.turns }
        loop.unwatch(watch)
        loop.cancel(timer)
        System.close(ours)
    }

    @Test("a handler that hands something over to its own loop does not wake it up for that")
    func wakeUps() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<UInt64>()
        try await System.socketPair().held { ours, theirs in
            let watch = try loop.watch(ours) { _ in
                let before = loop.core.turns
                loop.execute {
                    // Had the loop been woken up needlessly, a turn would lie between this one and the timer's.
                    _ = loop.schedule(after: .milliseconds(50)) { journal.append(loop.core.turns - before) }
                }
            }
            write(theirs)
            #expect(try await journal.wait(forCount: 1) == [1])
            loop.unwatch(watch)
        }
    }

    // MARK: Descriptors

    @Test("an event that is under way for a descriptor that was just given up reaches nobody")
    func staleEvent() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<String>()
        let watches = Locked<[String: MessageLoop.Watch]>([:])
        let latch = Latch()
        let spare = try System.socketPair().split { ours, theirs in (ours.take(), theirs.take()) }
        let first = try System.socketPair().split { ours, theirs in (ours.take(), theirs.take()) }
        let second = try System.socketPair().split { ours, theirs in (ours.take(), theirs.take()) }
        let handler: @Sendable (String, String) -> @Sendable (Readiness) -> Void = { name, other in
            { readiness in
                guard readiness.contains(.readable) else { return }
                journal.append(name)
                guard let watch = watches.withLock({ $0.removeValue(forKey: other) }) else { return }
                loop.unwatch(watch)
                // Takes the place of the one that was given up.
                let new = try? loop.watch(spare.0) { if $0.contains(.readable) { journal.append("new") } }
                watches.withLock { $0["new"] = new }
            }
        }
        let (one, two) = (
            try loop.watch(first.0, handler("first", "second")), try loop.watch(second.0, handler("second", "first"))
        )
        watches.withLock { $0 = ["first": one, "second": two] }
        let isHeld = Journal<Bool>()
        loop.execute {
            isHeld.append(true)
            latch.wait()
        }
        try await isHeld.wait(forCount: 1)
        write(first.1)
        write(second.1)
        latch.open()
        try await journal.wait(forCount: 1)
        let turns = Journal<Int>()
        loop.execute { loop.execute { turns.append(1) } }
        try await turns.wait(forCount: 1)
        #expect(journal.entries.count == 1)
        for watch in watches.withLock(\.values) { loop.unwatch(watch) }
        #expect(loop.core.watchCount == 0)
        for number in [spare.0, spare.1, first.0, first.1, second.0, second.1] { System.close(number) }
    }

    @Test("what a watch's handler held may call the loop when it ends")
    func handlerLifetime() async throws {
        let loop = try Self.drivenLoop()
        let journal = Journal<String>()
        try await System.socketPair().held { ours, _ in
            loop.unwatch(try watch(ours, holding: Last { loop.execute { journal.append("ended") } }, on: loop))
            #expect(try await journal.wait(forCount: 1) == ["ended"])
        }
    }

    private func watch(_ descriptor: CInt, holding last: Last, on loop: MessageLoop) throws -> MessageLoop.Watch {
        try loop.watch(descriptor) { _ in withExtendedLifetime(last) {} }
    }

    @Test("a descriptor that can't be watched is refused, and leaves nothing behind")
    func unwatchable() throws {
        let loop = try Self.drivenLoop()
        #expect(throws: Errno.badFileDescriptor) { try loop.watch(-1) { _ in } }
        #expect(loop.core.watchCount == 0)
    }

    // MARK: The end of a turn

    private final class Participant: TurnParticipant {
        let journal: Journal<String>

        init(_ journal: Journal<String>) {
            self.journal = journal
        }

        func turnEnds() { journal.append("turn ends") }
    }

    @Test("a participant hears of the end of the turn, after all that ran in it")
    func turnEnd() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let journal = Journal<String>()
        loop.execute {
            loop.atEndOfTurn(Participant(journal))
            journal.append("first")
        }
        loop.execute { journal.append("second") }
        try loop.ensureDriven()
        #expect(try await journal.wait(forCount: 3) == ["first", "second", "turn ends"])
    }
}

/// Calls when it ends.
private final class Last: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    deinit { body() }
}
