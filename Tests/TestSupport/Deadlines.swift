/// How long a test waits for what has to happen before it fails. It only ends a test that would hang for ever: under
/// ThreadSanitizer, beside other tests and on a machine that others use too, a second of work can take a minute.
package let patience = Duration.seconds(240)

/// The result of `body`; throws when it takes longer than anything here ever should.
package func within<Success: Sendable>(
    _ limit: Duration = patience, _ body: @escaping @Sendable () async throws -> Success
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
package func eventually(_ what: String, _ isTrue: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + patience
    while try !isTrue() {
        if ContinuousClock.now > deadline { throw DeadlinePassed(limit: patience, found: "\(what) has not come true") }
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
