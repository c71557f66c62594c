internal import Reactor

/// What has happened, in order, written from any thread and waited for by a test.
package final class Journal<Entry: Sendable>: Sendable {
    private struct Waiter {
        let isSatisfied: ([Entry]) -> Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var entries: [Entry] = []
        var waiters: [Int: Waiter] = [:]
        var lastWaiter = 0
    }

    private let state = Locked(State())

    package init() {}

    package var entries: [Entry] { state.withLock { $0.entries } }

    package func append(_ entry: Entry) {
        let satisfied = state.withLock { state in
            state.entries.append(entry)
            let ids = state.waiters.filter { $0.value.isSatisfied(state.entries) }.map(\.key)
            return ids.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }
        }
        for continuation in satisfied { continuation.resume(returning: true) }
    }

    /// Waits until the entries are as wanted, and returns them; throws when the time is over first.
    @discardableResult
    package func wait(
        within limit: Duration = patience, until isSatisfied: @escaping @Sendable ([Entry]) -> Bool
    ) async throws -> [Entry] {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let timer = Task {
            try await Task.sleep(for: limit)
            state.withLock { $0.waiters.removeValue(forKey: id)?.continuation }?.resume(returning: false)
        }
        defer { timer.cancel() }
        let isInTime = await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                if isSatisfied(state.entries) { return true }
                state.waiters[id] = Waiter(isSatisfied: isSatisfied, continuation: continuation)
                return false
            }
            if isNow { continuation.resume(returning: true) }
        }
        if !isInTime { throw DeadlinePassed(limit: limit, found: summary) }
        return entries
    }

    /// Waits until there are that many entries.
    @discardableResult
    package func wait(forCount count: Int, within limit: Duration = patience) async throws -> [Entry] {
        try await wait(within: limit) { $0.count >= count }
    }

    private var summary: String {
        let entries = entries
        return "\(entries.count) entries, the last of them \(entries.suffix(3).map { String("\($0)".prefix(200)) })"
    }
}

/// What a test waited for has not come.
package struct DeadlinePassed: Error, CustomStringConvertible {
    package let limit: Duration
    package let found: String

    package var description: String { "not within \(limit): \(found)" }
}
