internal import Reactor

/// A task on a loop that a thread drives for the task's sake.
final class ServedTask: Sendable {
    private let body: @Sendable () async throws -> Void
    private let outcome = Locked<Result<Void, any Error>?>(nil)
    private let ended = Gate()

    init(_ body: @escaping @Sendable () async throws -> Void) {
        self.body = body
    }

    /// Returns when the body has ended. Not on the loop.
    func run(on loop: EventLoop) throws {
        // By the loop itself, so that no thread is started for the task before this one drives.
        loop.execute {
            Task(executorPreference: loop.taskExecutor) { await self.perform() }
        }
        if !loop.drive(until: { outcome.withLock { $0 != nil } }) {
            try loop.ensureDriven()
            ended.wait()
        }
        try outcome.withLock { $0 }?.get()
    }

    private func perform() async {
        do {
            try await body()
            outcome.withLock { $0 = .success(()) }
        } catch {
            outcome.withLock { $0 = .failure(error) }
        }
        ended.open()
    }
}
