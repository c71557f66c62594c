internal import HeapModule

/// What is to happen later, in order of time. A value without a clock: the owner says what time it is.
struct TimerQueue<Instant: Comparable, Payload> {
    private struct Entry: Comparable {
        let deadline: Instant
        let id: UInt64

        static func < (left: Entry, right: Entry) -> Bool {
            (left.deadline, left.id) < (right.deadline, right.id)
        }
    }

    private var entries = Heap<Entry>()
    private var payloads: [UInt64: Payload] = [:]
    private var lastID: UInt64 = 0

    var count: Int { payloads.count }
    var isEmpty: Bool { payloads.isEmpty }

    /// The earliest deadline that has not been cancelled.
    mutating func nextDeadline() -> Instant? {
        // Asked before each sleep, and in most programs nothing else is ever asked.
        if entries.isEmpty { return nil }
        dropCancelled()
        return entries.min?.deadline
    }

    mutating func add(at deadline: Instant, _ payload: Payload) -> UInt64 {
        lastID += 1
        entries.insert(Entry(deadline: deadline, id: lastID))
        payloads[lastID] = payload
        return lastID
    }

    /// Forgets a timer and returns what it held; nil where it has fired or was cancelled before.
    @discardableResult
    mutating func cancel(_ id: UInt64) -> Payload? {
        payloads.removeValue(forKey: id)
    }

    /// Takes the earliest timer whose time has come; timers of one deadline come in the order they were added.
    mutating func popDue(at now: Instant) -> Payload? {
        dropCancelled()
        guard let first = entries.min, first.deadline <= now else { return nil }
        entries.removeMin()
        return payloads.removeValue(forKey: first.id)
    }

    private mutating func dropCancelled() {
        while let first = entries.min, payloads[first.id] == nil {
            entries.removeMin()
        }
    }
}
