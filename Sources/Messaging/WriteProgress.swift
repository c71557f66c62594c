internal import DequeModule

/// How far what was accepted has been written, and who waits for it. Messages overtake each other, so this counts by
/// epochs: one ends wherever somebody begins to wait, and all that belongs to it and to those before has to be written.
struct WriteProgress {
    private(set) var epoch: UInt64 = 0
    /// How many bytes of each epoch are still to be written. The first is the oldest of which there are some, the last
    /// is the current one.
    private var counts: Deque<Int> = [0]
    private var waiters = Deque<(id: UInt64, epoch: UInt64)>()
    /// Whether anything has ever been accepted.
    private(set) var hasAccepted = false

    /// All bytes that are still to be written.
    private(set) var remaining = 0

    mutating func accepted(_ count: Int) {
        hasAccepted = true
        remaining += count
        counts[counts.count - 1] += count
    }

    /// The same for something that had been counted before.
    mutating func requeued(_ count: Int, epoch: UInt64) {
        guard count > 0 else { return }
        remaining += count
        counts[index(of: epoch)] += count
    }

    /// Bytes of an epoch have been written, or thrown away.
    mutating func finished(_ count: Int, epoch: UInt64) {
        guard count > 0 else { return }
        remaining -= count
        counts[index(of: epoch)] -= count
    }

    /// Those who need not wait any longer.
    mutating func takeFinishedWaiters() -> [UInt64] {
        guard let first = waiters.first else { return [] }
        while counts.count > 1, counts[0] == 0 { counts.removeFirst() }
        let oldest = epoch - UInt64(counts.count - 1)
        if first.epoch >= oldest { return [] }
        let finished = waiters.prefix { $0.epoch < oldest }.map(\.id)
        waiters.removeFirst(finished.count)
        return finished
    }

    mutating func wait(_ id: UInt64) {
        waiters.append((id, epoch))
        epoch += 1
        counts.append(0)
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
        counts = [0]
    }

    private func index(of epoch: UInt64) -> Int {
        // What is older than the oldest that is kept has been written before, and is written once more.
        max(0, counts.count - 1 - Int(self.epoch - epoch))
    }
}
