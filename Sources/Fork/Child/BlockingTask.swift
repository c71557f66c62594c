internal import Reactor

/// A task on a loop that a thread drives for the task's sake.
final class BlockingTask: Sendable {
    private let body: @Sendable () async throws -> Void
    private let outcome = Locked<Result<Void, any Error>?>(nil)
    private let ended = Latch()

    init(_ body: @escaping @Sendable () async throws -> Void) {
        self.body = body
    }

    /// Returns when the body has ended. Not on the loop.
    ///
    /// - Parameter atEnd: called on the loop when the body has ended.
    func run(on loop: MessageLoop, atEnd: @escaping @Sendable () -> Void) throws {
        let begin = { _ = Task(executorPreference: loop.taskExecutor) { await self.perform(on: loop, atEnd) } }
        // Once this thread drives: before that another one would begin with the body, or be started for it.
        if !loop.drive(beginningWith: begin, until: { outcome.withLock { $0 != nil } }) {
            begin()
            try loop.ensureDriven()
            ended.wait()
        }
        try outcome.withLock { $0 }?.get()
    }

    private func perform(on loop: MessageLoop, _ atEnd: @escaping @Sendable () -> Void) async {
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        // The last step of the body may have been elsewhere.
        loop.execute {
            atEnd()
            self.outcome.withLock { $0 = result }
            self.ended.open()
        }
    }
}
