/// The result of `body`; throws when it takes longer.
package func within<Success: Sendable>(
    _ limit: Duration = .seconds(60), _ body: @escaping @Sendable () async throws -> Success
) async throws -> Success {
    let results = Journal<Result<Success, any Error>>()
    let task = Task {
        do {
            results.append(.success(try await body()))
        } catch {
            results.append(.failure(error))
        }
    }
    defer { task.cancel() }
    return try await results.wait(forCount: 1, within: limit)[0].get()
}

/// Returns once `isTrue`; throws when it takes longer. Only for what tells nobody when it happens.
package func eventually(
    within limit: Duration = .seconds(60), _ what: String, _ isTrue: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try !isTrue() {
        if ContinuousClock.now > deadline { throw DeadlinePassed(limit: limit, found: "\(what) has not come true") }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// Throws when what `value` gives changes within the time: the proof that nothing happens, which no event tells.
package func stays<Value: Equatable>(for time: Duration, _ value: () -> Value) async throws {
    let before = value()
    try await Task.sleep(for: time)
    let after = value()
    if before != after { throw Changed(description: "it was \(before) and is \(after)") }
}

package struct Changed: Error, CustomStringConvertible {
    package let description: String
}
