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
        // Once this thread drives: before that another one would begin with the body, or be started for it.
        if !loop.drive(beginningWith: { begin(on: loop) }, until: { outcome.withLock { $0 != nil } }) {
            begin(on: loop)
            try loop.ensureDriven()
            ended.wait()
        }
        try outcome.withLock { $0 }?.get()
    }

    private func begin(on loop: EventLoop) {
        Task(executorPreference: loop.taskExecutor) { await self.perform() }
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
