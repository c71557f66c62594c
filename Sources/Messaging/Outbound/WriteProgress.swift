internal import DequeModule

/// How far what was accepted has been written, and who waits for it. Messages overtake each other, so this counts by
/// epochs: one ends wherever somebody begins to wait, and all that belongs to it and to those before has to be written.
struct WriteProgress {
    private(set) var epoch: UInt64 = 0
    /// How many bytes of the present epoch are still to be written, and of those before it, the oldest first.
    private var current = 0
    private var earlier = Deque<Int>()
    private var waiters = Deque<(id: UInt64, epoch: UInt64)>()
    /// Whether anything has ever been accepted.
    private(set) var hasAccepted = false

    /// All bytes that are still to be written.
    private(set) var remaining = 0

    mutating func accepted(_ count: Int) {
        hasAccepted = true
        remaining += count
        current += count
    }

    /// The same for something that had been counted before.
    mutating func requeued(_ count: Int, epoch: UInt64) {
        change(by: count, epoch: epoch)
    }

    /// Bytes of an epoch have been written, or thrown away.
    mutating func finished(_ count: Int, epoch: UInt64) {
        change(by: -count, epoch: epoch)
    }

    private mutating func change(by count: Int, epoch: UInt64) {
        remaining += count
        let age = Int(self.epoch - epoch)
        if age == 0 || earlier.isEmpty {
            current += count
        } else {
            // What is older than the oldest that is kept has been written before, and is written once more.
            earlier[max(0, earlier.count - age)] += count
        }
    }

    /// Those who need not wait any longer.
    mutating func takeFinishedWaiters() -> [UInt64] {
        guard let first = waiters.first else { return [] }
        while earlier.first == 0 { earlier.removeFirst() }
        let oldest = epoch - UInt64(earlier.count)
        if first.epoch >= oldest { return [] }
        let finished = waiters.prefix { $0.epoch < oldest }.map(\.id)
        waiters.removeFirst(finished.count)
        return finished
    }

    mutating func wait(_ id: UInt64) {
        waiters.append((id, epoch))
        epoch += 1
        earlier.append(current)
        current = 0
    }

    /// Forgets a waiter; false where it has been given out already.
    mutating func cancelWait(_ id: UInt64) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return false }
        waiters.remove(at: index)
        return true
    }

    mutating func takeWaiters() -> [UInt64] {
        defer { waiters.removeAll() }
        return waiters.map(\.id)
    }

    /// Nothing more will be written.
    mutating func removeAll() {
        remaining = 0
        current = 0
        earlier = []
    }
}
