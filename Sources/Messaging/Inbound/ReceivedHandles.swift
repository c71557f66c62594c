internal import DequeModule

/// Handles that have come with bytes, until the message has been read that they ride with. A value without a
/// descriptor.
///
/// The kernel gives out the handles of one message at most with each read, and they ride with the first byte of that
/// message's header. So they belong to the message whose header begins within the bytes of that read.
struct ReceivedHandles<Handles> {
    private struct Batch {
        let handles: Handles
        let count: Int
        let isTruncated: Bool
        let range: Range<UInt64>
    }

    private var batches = Deque<Batch>()

    /// How many handles there are.
    private(set) var count = 0
    var batchCount: Int { batches.count }

    /// Handles that came with the bytes of a read, `range` in the stream; where they are truncated some have been lost.
    mutating func add(_ handles: Handles, count: Int, isTruncated: Bool, range: Range<UInt64>) {
        batches.append(Batch(handles: handles, count: count, isTruncated: isTruncated, range: range))
        self.count += count
    }

    enum Outcome {
        case handles(Handles)
        /// They were sent, but this process could not take all of them.
        case lost
        /// Others were sent than announced.
        case mismatch(received: Int)
    }

    /// The handles of the message that begins at the position and announces so many.
    mutating func take(_ announced: Int, at position: UInt64) -> Outcome {
        guard let first = batches.first, first.range.contains(position) else { return .mismatch(received: 0) }
        batches.removeFirst()
        count -= first.count
        if first.isTruncated { return .lost }
        return first.count == announced ? .handles(first.handles) : .mismatch(received: first.count)
    }

    /// How many came with bytes in which no message announces them, if any did.
    ///
    /// - Parameters:
    ///   - position: up to where the stream has been decoded, and all complete messages have taken theirs.
    ///   - open: where a message begins that is not complete, and that may have handles.
    func stray(before position: UInt64, open: UInt64?) -> Int? {
        let stray = batches.first { batch in
            batch.range.upperBound <= position && open.map { !batch.range.contains($0) } ?? true
        }
        // Truncated ones have no number, but at least one was there.
        return stray.map { max(1, $0.count) }
    }

    /// All that nobody has taken, to be let go.
    mutating func removeAll() -> [Handles] {
        defer {
            batches.removeAll()
            count = 0
        }
        return batches.map(\.handles)
    }
}

extension ReceivedHandles.Outcome: Equatable where Handles: Equatable {}
