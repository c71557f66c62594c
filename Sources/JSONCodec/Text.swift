/// Text that grows at its end, in memory of its own, with the keys of the objects that are open in it.
///
/// Bytes are written through a pointer: an array's `append` looks for room and for other owners at every byte.
struct Text {
    private(set) var start: UnsafeMutablePointer<UInt8>
    var count = 0
    private var capacity: Int
    /// Where the keys of the open objects stand, escaped and without quotes; a run for each open slot.
    private var keys: UnsafeMutablePointer<Range<Int>>?
    private(set) var keyCount = 0
    private var keyCapacity = 0

    init(capacity: Int = 512) {
        self.capacity = capacity
        start = .allocate(capacity: capacity)
    }

    func deallocate() {
        start.deallocate()
        keys?.deallocate()
    }

    var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }

    // MARK: Bytes

    /// Makes room for so many more bytes.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if capacity - count < more { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        capacity = max(count + more, 2 * capacity)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.moveInitialize(from: start, count: count)
        start.deallocate()
        start = larger
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1)
        start[count] = byte
        count += 1
    }

    @inline(__always)
    mutating func append(ascii text: StaticString) {
        append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        reserve(bytes.count)
        if let source = bytes.baseAddress { (start + count).initialize(from: source, count: bytes.count) }
        count += bytes.count
    }

    /// Takes away all behind that length.
    mutating func cut(to length: Int) { count = length }

    /// Takes the other text's bytes in place of its own.
    mutating func replaceBytes(with other: inout Text) {
        swap(&start, &other.start)
        swap(&count, &other.count)
        swap(&capacity, &other.capacity)
    }

    // MARK: Keys

    /// The keys from that one on.
    @inline(__always)
    func keys(from first: Int) -> UnsafeBufferPointer<Range<Int>> {
        UnsafeBufferPointer(start: keys.map { $0 + first }, count: keyCount - first)
    }

    @inline(__always)
    private mutating func append(key: Range<Int>) {
        if keyCount == keyCapacity { growKeys() }
        if let keys { (keys + keyCount).initialize(to: key) }
        keyCount += 1
    }

    @inline(never)
    private mutating func growKeys() {
        keyCapacity = max(EncodingSlot.fewKeys, 2 * keyCapacity)
        let larger = UnsafeMutablePointer<Range<Int>>.allocate(capacity: keyCapacity)
        if let keys {
            larger.moveInitialize(from: keys, count: keyCount)
            keys.deallocate()
        }
        keys = larger
    }

    mutating func cutKeys(to count: Int) { keyCount = count }

    /// Writes a key, its colon, and a comma before it where it is not the first.
    @inline(__always)
    mutating func append(key: String, isFirst: Bool) -> Range<Int> {
        if !isFirst { append(UInt8(ascii: ",")) }
        return append(quoted: key, then: UInt8(ascii: ":"))
    }

    /// The same, and records the key, unless an object whose keys begin at `firstKey` has it already: then it writes
    /// nothing and returns false. The keys are compared one by one, which beats hashing for sixteen or so.
    mutating func append(newKey key: String, isFirst: Bool, firstKey: Int) -> Bool {
        let length = count
        let range = append(key: key, isFirst: isFirst)
        for known in keys(from: firstKey) where known.count == range.count {
            if isEqual(start + known.lowerBound, start + range.lowerBound, count: range.count) {
                cut(to: length)
                return false
            }
        }
        append(key: range)
        return true
    }
}
