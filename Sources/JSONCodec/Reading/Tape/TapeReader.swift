/// Reads the values of a ``Tape``. It does not keep the tape alive.
struct TapeReader {
    let entries: UnsafePointer<TapeEntry>
    let bytes: UnsafeRawPointer
    let hasUnusualKeys: Bool

    @inline(__always)
    subscript(node: Int) -> TapeEntry { entries[node] }

    /// What follows a value.
    @inline(__always)
    func end(of node: Int) -> Int { node + entries[node].length }

    /// The bytes of a string.
    @inline(__always)
    func bytes(of node: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + entries[node].offset, count: entries[node].byteCount)
    }

    @inline(__always)
    func string(at node: Int) -> String {
        let entry = entries[node]
        return entry.isKind(.escapedString)
            ? JSONUnescaping.string(bytes(of: node)) : String(checkedUTF8: bytes(of: node), isASCII: entry.isASCII)
    }

    /// The key at that entry. Keys never need unescaping.
    @inline(__always)
    func isKey(_ node: Int, _ key: UnsafeRawBufferPointer) -> Bool {
        let entry = entries[node]
        guard entry.byteCount == key.count else { return false }
        // No address: an empty key.
        guard let start = key.baseAddress else { return true }
        return isEqual(bytes + entry.offset, start, count: key.count)
    }

    /// The value of a member, or nil if there is none. The search begins at the entry of some key, and ends before it.
    func member(_ key: UnsafeRawBufferPointer, of object: Int, from start: Int) -> Int? {
        let first = object + 1
        let end = end(of: object)
        var node = start
        while node < end {
            if isKey(node, key) { return node + 1 }
            node = self.end(of: node + 1)
        }
        node = first
        while node < start {
            if isKey(node, key) { return node + 1 }
            node = self.end(of: node + 1)
        }
        return nil
    }

    /// The value at that entry with all inside it.
    func json(at node: Int) -> JSON {
        let entry = entries[node]
        switch entry.kind {
        case .null: return .null
        case .no: return .bool(false)
        case .yes: return .bool(true)
        case .integer: return .integer(Int64(bitPattern: entry.payload))
        case .unsigned: return .unsigned(entry.payload)
        case .double: return .double(Double(bitPattern: entry.payload))
        case .string, .escapedString: return .string(string(at: node))
        case .array:
            var elements: [JSON] = []
            elements.reserveCapacity(entry.count)
            var element = node + 1
            for _ in 0..<entry.count {
                elements.append(json(at: element))
                element = end(of: element)
            }
            return .array(elements)
        case .object:
            var members: [JSON.Object.Member] = []
            members.reserveCapacity(entry.count)
            var key = node + 1
            for _ in 0..<entry.count {
                members.append(JSON.Object.Member(key: BytewiseString(string(at: key)), value: json(at: key + 1)))
                key = end(of: key + 1)
            }
            return .object(JSON.Object(uniqueMembers: members))
        }
    }

    /// The keys from the top to a container, or up to `root`, which is without its own.
    func path(of container: UInt32, root: Int) -> [any CodingKey] {
        var keys: [any CodingKey] = []
        var node = container
        while node != TapeEntry.none, Int(node) != root {
            let entry = entries[Int(node)]
            guard entry.parent != TapeEntry.none else { break }
            keys.append(key(of: Int(node), in: entry.parent, index: entry.index))
            node = entry.parent
        }
        return keys.reversed()
    }

    /// The key of a value in the container that holds it.
    func key(of node: Int, in container: UInt32, index: Int) -> AnyCodingKey {
        entries[Int(container)].isKind(.object) ? AnyCodingKey(string(at: node - 1)) : AnyCodingKey(index)
    }
}
