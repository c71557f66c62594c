/// What was found out about a few types, without an allocation. When it is full, it stays as it is.
struct TypeCache<Value> {
    private typealias Slot = (id: ObjectIdentifier?, value: Value?)

    private static var capacity: Int { 8 }

    private var slots: (Slot, Slot, Slot, Slot, Slot, Slot, Slot, Slot) = (
        (nil, nil), (nil, nil), (nil, nil), (nil, nil), (nil, nil), (nil, nil), (nil, nil), (nil, nil)
    )
    private var count = 0

    @inline(__always)
    subscript(id: ObjectIdentifier) -> Value? {
        mutating get {
            let count = count
            return withSlots { slots in
                for index in 0..<count where slots[index].id == id { return slots[index].value }
                return nil
            }
        }
    }

    /// Remembers the value of a type that has none, and returns it.
    @inline(never) @discardableResult
    mutating func add(_ value: Value, for id: ObjectIdentifier) -> Value {
        guard count < Self.capacity else { return value }
        let index = count
        withSlots { $0[index] = (id, value) }
        count += 1
        return value
    }

    /// A tuple of elements of one type is laid out as an array of them is.
    @inline(__always)
    private mutating func withSlots<Result>(_ body: (UnsafeMutablePointer<Slot>) -> Result) -> Result {
        withUnsafeMutableBytes(of: &slots) { bytes in
            // `!`: a tuple that is not empty has an address.
            body(bytes.baseAddress!.assumingMemoryBound(to: Slot.self))
        }
    }
}
