/// UTF-8 in which NUL is written as two bytes, so that it can stand in a C string.
///
/// The two bytes are an overlong form, which the scanner refuses, so they mean nothing else in a key of the tree.
enum ModifiedUTF8 {
    static let nul: [UInt8] = [0xC0, 0x80]

    /// The bytes with each NUL as one byte again.
    static func bytes(_ modified: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(modified.count)
        var position = 0
        while position < modified.count {
            let isNul = modified[position] == nul[0]
            bytes.append(isNul ? 0 : modified[position])
            position += isNul ? 2 : 1
        }
        return bytes
    }
}
