/// The values of a text one behind the other, in the order of the text: an array is followed by its elements, an object
/// by each key and its value in turn. Before the entries stand the bytes of the strings. All in one allocation.
///
/// `@unchecked Sendable`: it is written before anybody else knows it, and never after.
struct Tape: @unchecked Sendable {
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

extension Tape {
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
}
