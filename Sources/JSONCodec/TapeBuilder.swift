/// The memory that a tape is written to before its size is known.
///
/// It begins with memory of the caller's, which is the stack's: most messages need no more, and are copied from there.
/// Beyond that it guesses, from how far the text was read, how much will be needed, and writes to what will be the
/// tape's own storage: memory that is fresh costs more than what is written to it.
struct TapeBuilder {
    private(set) var entries: UnsafeMutablePointer<TapeEntry>
    private(set) var count = 0
    private var capacity: Int
    private let byteCount: Int
    private var storage: ManagedBuffer<Tape.Header, TapeEntry>?

    /// How many entries fit on the stack: 1 KB of them, above which the standard library would allocate.
    static let smallCapacity = 64

    /// - Parameters:
    ///   - memory: must outlive the builder.
    ///   - byteCount: the length of the text.
    init(in memory: UnsafeMutableBufferPointer<TapeEntry>, byteCount: Int) {
        // `!`: the memory is not empty.
        entries = memory.baseAddress!
        capacity = memory.count
        self.byteCount = byteCount
    }

    /// - Parameter progress: how much of the text is read.
    @inline(__always)
    mutating func append(_ entry: TapeEntry, progress: Int) {
        if count == capacity { grow(progress) }
        entries[count] = entry
        count += 1
    }

    @inline(never)
    private mutating func grow(_ progress: Int) {
        let expected = Double(count) * Double(byteCount) / Double(max(progress, 1)) * 1.0625
        // Never more than what a text of that length can need, which is an entry for every two bytes.
        let guess = min(Int(min(expected, 0x1p31)), byteCount / 2 + 2)
        capacity = max(guess, count + count / 2)
        let larger = Tape.Storage.make(byteCount: byteCount, entryCapacity: capacity)
        // The storage is kept for as long as the pointer, which no other storage follows before the next growth.
        let start = larger.withUnsafeMutablePointers { header, start in start + header.pointee.textLength }
        start.moveInitialize(from: entries, count: count)
        entries = start
        storage = larger
    }

    /// The tape, with the text that the offsets in it count in.
    func tape(_ bytes: UnsafeRawBufferPointer, depth: Int, hasUnusualKeys: Bool) -> Tape {
        // A guess that was much too high is not kept for as long as the message is.
        if let storage, bytes.count <= byteCount, capacity - count <= count / 4 + bytes.count / 16 {
            return Tape(storage, bytes: bytes, depth: depth, hasUnusualKeys: hasUnusualKeys)
        }
        return withExtendedLifetime(storage) {
            Tape(entries: written, bytes: bytes, depth: depth, hasUnusualKeys: hasUnusualKeys)
        }
    }

    var written: UnsafeBufferPointer<TapeEntry> { UnsafeBufferPointer(start: entries, count: count) }

    /// Makes every integer that no double equals the double that is nearest.
    func roundIntegers() {
        for index in 0..<count {
            if let rounded = entries[index].number?.roundedToDouble { entries[index] = TapeEntry(rounded) }
        }
    }

    // MARK: Keys

    /// Whether an object that is complete has two keys with the same bytes.
    func hasRepeatedKey(_ object: Int, bytes: UnsafeRawPointer) -> Bool {
        let memberCount = entries[object].count
        if memberCount < 2 { return false }
        return memberCount <= Self.fewKeys
            ? withUnsafeTemporaryAllocation(of: TapeEntry.self, capacity: Self.fewKeys) { keys in
                hasRepeatedKey(object, bytes: bytes, keys: keys)
            }
            : hasRepeatedKeyAmongMany(object, bytes: bytes)
    }

    /// Up to so many are compared each with each.
    private static let fewKeys = 16

    private func hasRepeatedKey(
        _ object: Int, bytes: UnsafeRawPointer, keys: UnsafeMutableBufferPointer<TapeEntry>
    ) -> Bool {
        var node = object + 1
        for index in 0..<entries[object].count {
            let key = entries[node]
            keys[index] = key
            for earlier in 0..<index where keys[earlier].byteCount == key.byteCount {
                if isEqual(bytes + keys[earlier].offset, bytes + key.offset, count: key.byteCount) { return true }
            }
            node += 1 + entries[node + 1].length
        }
        return false
    }

    /// They are sorted, so that whoever chooses the keys cannot choose the time that this takes: every comparison ends
    /// with the shorter key, so all of them together cost the length of the text times the logarithm of the count.
    private func hasRepeatedKeyAmongMany(_ object: Int, bytes: UnsafeRawPointer) -> Bool {
        var keys: [(prefix: UInt64, node: UInt32)] = []
        keys.reserveCapacity(entries[object].count)
        var node = object + 1
        for _ in 0..<entries[object].count {
            keys.append((prefix(of: entries[node], bytes: bytes), UInt32(truncatingIfNeeded: node)))
            node += 1 + entries[node + 1].length
        }
        keys.sort { left, right in
            left.prefix != right.prefix
                ? left.prefix < right.prefix
                : rest(of: entries[Int(left.node)], bytes).lexicographicallyPrecedes(
                    rest(of: entries[Int(right.node)], bytes))
        }
        return zip(keys, keys.dropFirst()).contains { left, right in
            let (first, second) = (entries[Int(left.node)], entries[Int(right.node)])
            return left.prefix == right.prefix && first.byteCount == second.byteCount
                && isEqual(bytes + first.offset, bytes + second.offset, count: first.byteCount)
        }
    }

    /// The first eight bytes in the order of their weight. A shorter key is filled up with zeros.
    private func prefix(of key: TapeEntry, bytes: UnsafeRawPointer) -> UInt64 {
        if key.byteCount >= 8 {
            return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: key.offset, as: UInt64.self))
        }
        var prefix: UInt64 = 0
        for index in 0..<8 {
            prefix = prefix << 8
            if index < key.byteCount {
                prefix |= UInt64(bytes.load(fromByteOffset: key.offset + index, as: UInt8.self))
            }
        }
        return prefix
    }

    /// All of a key. Short ones may hold a NUL, so even equal prefixes need a look at the lengths.
    private func rest(of key: TapeEntry, _ bytes: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + key.offset, count: key.byteCount)
    }
}

extension Number {
    /// The nearest double as an integer, where this is an integer that no double equals.
    fileprivate var roundedToDouble: Number? {
        switch self {
        case .integer(let integer) where Double(exactly: integer) == nil:
            // The nearest double of the largest integers is 2^63, which no Int64 is.
            Int64(exactly: Double(integer)).map(Number.integer) ?? .unsigned(1 << 63)
        case .unsigned(let unsigned) where Double(exactly: unsigned) == nil:
            // That of these may be 2^64, which JavaScript writes as 18446744073709552000, and so never comes here.
            UInt64(exactly: Double(unsigned)).map(Number.unsigned)
        case .integer, .unsigned, .double: nil
        }
    }
}
