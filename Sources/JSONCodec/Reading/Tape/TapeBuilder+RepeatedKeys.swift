extension TapeBuilder {
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
