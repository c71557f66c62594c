import TestSupport
import Testing

@testable import Reactor

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Locks")
struct LockedTests {
    @Test("threads that meet at a lock go on without a switch of threads for each time that they take it")
    func contention() async throws {
        let (threads, rounds) = (8, 20_000)
        let lock = Locked(0)
        let switches = Journal<Int>()
        for _ in 0..<threads {
            try Thread.start(name: "meets others") {
                let before = Self.switches
                for _ in 0..<rounds { lock.withLock { $0 += 1 } }
                switches.append(Self.switches - before)
            }
        }
        let counts = try await switches.wait(forCount: threads)
        #expect(lock.withLock { $0 } == threads * rounds)
        // A lock that is handed over in the kernel has one for most of the rounds.
        #expect(counts.reduce(0, +) < threads * rounds / 20)
    }

    /// How often this thread has waited for something.
    private static var switches: Int {
        var usage = rusage()
        // RUSAGE_THREAD, which Swift does not see.
        getrusage(__rusage_who_t(1), &usage)
        return usage.ru_nvcsw
    }
}
