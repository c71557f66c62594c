/// The memory that a tape is written to before its size is known.
///
/// It begins with memory of the caller's, which is the stack's: most messages need no more, and are copied from there.
/// Beyond that it guesses, from how far the text was read, how much will be needed, and writes to what will be the
/// tape's own storage: memory that is fresh costs more than what is written to it.
struct TapeBuilder {
    /// How many entries fit on the stack: 1 KB of them, above which the standard library would allocate.
    static let smallCapacity = 64

    private(set) var entries: UnsafeMutablePointer<TapeEntry>
    private(set) var count = 0
    private var capacity: Int
    private let byteCount: Int
    private var storage: ManagedBuffer<Tape.Header, TapeEntry>?

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

    /// The document of a tape that is complete. A value that is no array and no object needs no tape.
    ///
    /// - Parameters:
    ///   - bytes: what the offsets of the strings count in.
    ///   - depth: how many levels of arrays and objects there are at the deepest place.
    ///   - hasUnusualKeys: some key is not plain ASCII, or was written with an escape.
    func document(of bytes: UnsafeRawBufferPointer, depth: Int, hasUnusualKeys: Bool) -> JSONDocument {
        if count == 1, let start = bytes.baseAddress, !entries[0].isContainer {
            return JSONDocument(.scalar(TapeReader(entries: entries, bytes: start, hasUnusualKeys: false).json(at: 0)))
        }
        return JSONDocument(.tape(tape(bytes, depth: depth, hasUnusualKeys: hasUnusualKeys), node: 0))
    }

    private func tape(_ bytes: UnsafeRawBufferPointer, depth: Int, hasUnusualKeys: Bool) -> Tape {
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
}

extension JSONNumber {
    /// The nearest double as an integer, if this is an integer that no double equals.
    fileprivate var roundedToDouble: JSONNumber? {
        switch self {
        case .integer(let integer) where Double(exactly: integer) == nil:
            // The nearest double of the largest integers is 2^63, which no Int64 is.
            Int64(exactly: Double(integer)).map(JSONNumber.integer) ?? .unsigned(1 << 63)
        case .unsigned(let unsigned) where Double(exactly: unsigned) == nil:
            // That of these may be 2^64, which JavaScript writes as 18446744073709552000, and so never comes here.
            UInt64(exactly: Double(unsigned)).map(JSONNumber.unsigned)
        case .integer, .unsigned, .double: nil
        }
    }
}
