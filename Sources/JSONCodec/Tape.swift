/// The values of a text one behind the other, in the order of the text: an array is followed by its elements, an object
/// by each key and its value in turn. Before the entries stand the bytes of the strings. All in one allocation.
///
/// `@unchecked Sendable`: it is written before anybody else knows it, and never after.
struct Tape: @unchecked Sendable {
    /// The memory of a tape, whose elements are as long as an entry: first those that the text takes, then the entries.
    final class Storage: ManagedBuffer<Header, TapeEntry> {
        static func make(byteCount: Int, entryCapacity: Int) -> ManagedBuffer<Header, TapeEntry> {
            let size = MemoryLayout<TapeEntry>.stride
            let header = Header(textLength: (byteCount + size - 1) / size, entryCapacity: entryCapacity)
            return create(minimumCapacity: header.textLength + entryCapacity) { _ in header }
        }
    }

    struct Header {
        /// In elements.
        let textLength: Int
        let entryCapacity: Int
        var depth = 0
        var hasUnusualKeys = false
    }

    private let storage: ManagedBuffer<Header, TapeEntry>

    /// Takes storage that has the entries already, and adds all that is missing.
    ///
    /// - Parameters:
    ///   - bytes: no more than the storage was made for.
    ///   - depth: how many levels of arrays and objects there are at the deepest place.
    ///   - hasUnusualKeys: some key is not plain ASCII, or was written with an escape.
    init(
        _ storage: ManagedBuffer<Header, TapeEntry>, bytes: UnsafeRawBufferPointer, depth: Int, hasUnusualKeys: Bool
    ) {
        self.storage = storage
        storage.withUnsafeMutablePointers { header, start in
            header.pointee.depth = depth
            header.pointee.hasUnusualKeys = hasUnusualKeys
            if let source = bytes.baseAddress {
                UnsafeMutableRawPointer(start).copyMemory(from: source, byteCount: bytes.count)
            }
        }
    }

    /// Copies the entries to storage of the right size.
    init(entries: UnsafeBufferPointer<TapeEntry>, bytes: UnsafeRawBufferPointer, depth: Int, hasUnusualKeys: Bool) {
        let storage = Storage.make(byteCount: bytes.count, entryCapacity: entries.count)
        storage.withUnsafeMutablePointers { header, start in
            if let source = entries.baseAddress {
                (start + header.pointee.textLength).initialize(from: source, count: entries.count)
            }
        }
        self.init(storage, bytes: bytes, depth: depth, hasUnusualKeys: hasUnusualKeys)
    }

    var depth: Int { storage.withUnsafeMutablePointerToHeader { $0.pointee.depth } }

    /// A look at it. The tape must be kept for as long as that is used.
    @inline(__always)
    var reader: TapeReader {
        storage.withUnsafeMutablePointers { header, start in
            TapeReader(
                entries: UnsafePointer(start + header.pointee.textLength), bytes: UnsafeRawPointer(start),
                hasUnusualKeys: header.pointee.hasUnusualKeys)
        }
    }
}

/// Reads the values of a ``Tape``, which it does not keep.
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
            ? Unescaping.string(bytes(of: node)) : String(checkedUTF8: bytes(of: node), isASCII: entry.isASCII)
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

    /// The value of a member, found from the entry of a key on, or else from the first. Nil where there is none.
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
                members.append(JSON.Object.Member(key: ExactString(string(at: key)), value: json(at: key + 1)))
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
    func key(of node: Int, in container: UInt32, index: Int) -> PathKey {
        entries[Int(container)].isKind(.object) ? PathKey(string(at: node - 1)) : PathKey(index)
    }
}

extension String {
    /// A string of bytes that the scanner has found to be UTF-8.
    @inline(__always)
    init(checkedUTF8 bytes: UnsafeRawBufferPointer, isASCII: Bool) {
        let bytes = bytes.assumingMemoryBound(to: UInt8.self)
        if #available(macOS 26, iOS 26, tvOS 26, watchOS 26, visionOS 26, *) {
            self.init(copying: UTF8Span(unchecked: bytes.span, isKnownASCII: isASCII))
        } else {
            self.init(decoding: bytes, as: UTF8.self)
        }
    }
}

/// Whether the bytes are the same, eight at a time; the last eight may have been looked at before.
@inline(__always)
func isEqual(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, count: Int) -> Bool {
    @inline(__always)
    func isEqual<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> Bool {
        left.loadUnaligned(fromByteOffset: offset, as: type) == right.loadUnaligned(fromByteOffset: offset, as: type)
    }
    switch count {
    case 8...:
        var position = 0
        while count - position > 8 {
            guard isEqual(at: position, as: UInt64.self) else { return false }
            position += 8
        }
        return isEqual(at: count - 8, as: UInt64.self)
    case 4...: return isEqual(at: 0, as: UInt32.self) && isEqual(at: count - 4, as: UInt32.self)
    case 2...: return isEqual(at: 0, as: UInt16.self) && isEqual(at: count - 2, as: UInt16.self)
    case 1: return isEqual(at: 0, as: UInt8.self)
    default: return true
    }
}
