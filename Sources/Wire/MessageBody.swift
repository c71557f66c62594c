/// The bytes of a whole message, wherever they lie.
package enum MessageBody {
    /// In the input; valid until the input is not.
    case borrowed(UnsafeRawBufferPointer)
    case owned([UInt8])

    package var count: Int {
        switch self {
        case .borrowed(let bytes): bytes.count
        case .owned(let bytes): bytes.count
        }
    }

    package func withBytes<Result, Failure>(
        _ read: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .borrowed(let bytes):
            return try read(bytes)
        case .owned(let bytes):
            return try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
                try read(UnsafeRawBufferPointer(buffer))
            }
        }
    }

    /// The memory of a body that nobody needs any more; nil where it lies in the input.
    package consuming func spentMemory() -> [UInt8]? {
        switch self {
        case .borrowed: nil
        case .owned(let bytes): bytes
        }
    }

    /// The body as an array; copies only what is borrowed.
    package consuming func bytes() -> [UInt8] {
        switch self {
        case .borrowed(let bytes): Array(bytes)
        case .owned(let bytes): bytes
        }
    }
}
