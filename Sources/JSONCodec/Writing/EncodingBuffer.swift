/// The bytes of one encoding, which grow at their end while a value is written.
///
/// A second encoding, such as CBOR, is one more type that conforms, in a folder beside `JSONText`. ``ValueEncoder`` and
/// the containers of `Codable` write by these functions alone, and know nothing of brackets, commas and quotes.
///
/// They call ``SplicingWriter/Buffer``, a type and not this protocol, so that every call is direct.
protocol EncodingBuffer {
    var count: Int { get }
    var bytes: UnsafeBufferPointer<UInt8> { get }

    init()
    func deallocate()
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>)
    /// Takes the other buffer's bytes in place of its own.
    mutating func replaceBytes(with other: inout Self)
    /// Remembers what the other buffer knows of its values. Its bytes become a part of this one.
    mutating func noteIntegers(of part: Self)

    // MARK: Scalars

    mutating func appendNull()
    mutating func append(bool: Bool)
    mutating func append<T: FixedWidthInteger>(integer: T)
    mutating func append(double: Double)
    mutating func append(floatingPoint number: some BinaryFloatingPoint & CustomStringConvertible)
    mutating func append(string: String)

    // MARK: Arrays and objects

    /// Writes a value with all inside it.
    mutating func append(json: JSON)
    mutating func open(_ kind: ContainerKind)
    mutating func close(_ kind: ContainerKind)
    /// Writes what stands between two elements.
    mutating func beginElement(isFirst: Bool)

    // MARK: Keys

    /// The keys of the objects that are open, one object behind the other.
    var keyCount: Int { get }
    func keys(from first: Int) -> UnsafeBufferPointer<Range<Int>>
    mutating func cutKeys(to count: Int)
    /// Writes a key. Returns its place in ``bytes``, where equal keys have equal bytes.
    mutating func append(key: consuming String, isFirst: Bool) -> Range<Int>
    /// The same, and records the key. Returns false, and writes nothing, if the object has the key already.
    mutating func append(newKey key: consuming String, isFirst: Bool, firstKey: Int, filter: inout UInt64) -> Bool
    /// Takes away all behind that length.
    mutating func cut(to length: Int)
}

enum ContainerKind {
    case array, object
}
