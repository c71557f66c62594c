/// JSON text that grows at its end, in memory of its own, with the keys of the objects that are open in it.
///
/// Bytes are written through a pointer: an array's `append` looks for room and for other owners at every byte.
struct JSONTextBuffer: EncodingBuffer {
    private(set) var start: UnsafeMutablePointer<UInt8>
    var count = 0
    private var capacity: Int
    /// Where the keys of the open objects stand, escaped and without quotes; a run for each open encoder.
    private var keys: UnsafeMutablePointer<Range<Int>>?
    private(set) var keyCount = 0
    private var keyCapacity = 0
    /// The first integer written that no double equals. It must need no release: the memory of a buffer is freed
    /// without a look at what is in it.
    private var integerBeyondDouble: (magnitude: UInt64, isNegative: Bool)?

    init() {
        self.init(capacity: 512)
    }

    init(capacity: Int) {
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
    mutating func replaceBytes(with other: inout JSONTextBuffer) {
        swap(&start, &other.start)
        swap(&count, &other.count)
        swap(&capacity, &other.capacity)
    }

    // MARK: Large integers

    /// Called for each integer of more than 53 bits.
    @inline(never)
    mutating func note(magnitude: UInt64, isNegative: Bool) {
        guard integerBeyondDouble == nil, Double(exactly: magnitude) == nil else { return }
        integerBeyondDouble = (magnitude, isNegative)
    }

    /// Remembers what is known of a text that becomes a part of this one.
    mutating func noteIntegers(of part: JSONTextBuffer) {
        integerBeyondDouble = integerBeyondDouble ?? part.integerBeyondDouble
    }

    func requireDoubles() throws {
        guard let (magnitude, isNegative) = integerBeyondDouble else { return }
        throw JSONText.IntegerBeyondDouble(literal: "\(isNegative ? "-" : "")\(magnitude)")
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
        keyCapacity = max(ValueEncoder.fewKeys, 2 * keyCapacity)
        let larger = UnsafeMutablePointer<Range<Int>>.allocate(capacity: keyCapacity)
        if let keys {
            larger.moveInitialize(from: keys, count: keyCount)
            keys.deallocate()
        }
        keys = larger
    }

    mutating func cutKeys(to count: Int) { keyCount = count }

    /// Writes a key, its colon, and a comma before it if it is not the first.
    @inline(__always)
    mutating func append(key: consuming String, isFirst: Bool) -> Range<Int> {
        if !isFirst { append(UInt8(ascii: ",")) }
        return append(quoted: key, then: UInt8(ascii: ":"))
    }

    /// The same, and records the key, unless an object whose keys begin at `firstKey` has it already: then it writes
    /// nothing and returns false. The keys are compared one by one, which beats hashing for sixteen or so; but most
    /// often the filter, which has a bit for each key of the object, shows that the key is new.
    mutating func append(newKey key: consuming String, isFirst: Bool, firstKey: Int, filter: inout UInt64) -> Bool {
        let length = count
        let written: (range: Range<Int>, bit: UInt64)
        if let plain = key.withUTF8({ append(shortPlainKey: $0, isFirst: isFirst) }) {
            written = plain
        } else {
            let range = append(key: key, isFirst: isFirst)
            written = (range, filterBit(of: range))
        }
        if filter & written.bit != 0, hasKey(written.range, from: firstKey) {
            cut(to: length)
            return false
        }
        filter |= written.bit
        append(key: written.range)
        return true
    }

    /// Returns nil, and writes nothing, if the key is longer than sixteen bytes or has something to escape.
    @inline(__always)
    private mutating func append(
        shortPlainKey key: UnsafeBufferPointer<UInt8>, isFirst: Bool
    ) -> (range: Range<Int>, bit: UInt64)? {
        guard key.count <= 16, let read = UnsafeRawPointer(key.baseAddress) else { return nil }
        // Room for a comma, a quote, the key or eight bytes, a quote and a colon.
        reserve(24)
        let first = count + (isFirst ? 1 : 2)
        let target = UnsafeMutableRawPointer(start + first)
        let head: EightBytes
        let tail: EightBytes
        if key.count >= 8 {
            head = EightBytes(at: read)
            tail = EightBytes(at: read + key.count - 8)
            target.storeBytes(of: tail.bytes.littleEndian, toByteOffset: key.count - 8, as: UInt64.self)
        } else {
            head = EightBytes(shorter: read, count: key.count)
            tail = head
        }
        guard head.mustEscape | tail.mustEscape == 0 else { return nil }
        target.storeBytes(of: head.bytes.littleEndian, as: UInt64.self)
        start[count] = UInt8(ascii: ",")
        start[first - 1] = UInt8(ascii: "\"")
        let end = first + key.count
        start[end] = UInt8(ascii: "\"")
        start[end + 1] = UInt8(ascii: ":")
        count = end + 2
        return (first..<end, Self.filterBit(head.bytes, tail.bytes, count: key.count))
    }

    @inline(never)
    private func hasKey(_ key: Range<Int>, from first: Int) -> Bool {
        keys(from: first).contains { known in
            known.count == key.count && isEqual(start + known.lowerBound, start + key.lowerBound, count: key.count)
        }
    }

    /// The same for a key that is not short and plain. It is empty, has an escape, or is long.
    @inline(never)
    private func filterBit(of key: Range<Int>) -> UInt64 {
        guard key.count >= 8 else { return 1 }
        let bytes = UnsafeRawPointer(start + key.lowerBound)
        let tail = EightBytes(at: bytes + key.count - 8)
        return Self.filterBit(EightBytes(at: bytes).bytes, tail.bytes, count: key.count)
    }

    /// One bit of 64, from the first and the last bytes of a key and their number.
    @inline(__always)
    private static func filterBit(_ head: UInt64, _ tail: UInt64, count: Int) -> UInt64 {
        1 << (((head ^ (tail &* 31) ^ UInt64(count)) &* 0x9E37_79B9_7F4A_7C15) >> 58)
    }
}
