extension ValueEncoder {
    /// Refuses the scalars that JSON has no form for, before anything is written for them.
    ///
    /// Each `unsafeBitCast` is from a type to itself, as the comparison before it has shown.
    @inline(__always)
    func requireEncodable<T: Encodable>(_ value: T, at key: @autoclosure () -> (any CodingKey)? = nil) throws {
        if T.self == Double.self {
            guard unsafeBitCast(value, to: Double.self).isFinite else { throw notFinite(value, at: key()) }
        } else if T.self == Float.self {
            guard unsafeBitCast(value, to: Float.self).isFinite else { throw notFinite(value, at: key()) }
        } else if #available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *) {
            if T.self == Int128.self {
                let integer = unsafeBitCast(value, to: Int128.self)
                guard integer >= Int64.min && integer <= UInt64.max else { throw tooLarge(value, at: key()) }
            } else if T.self == UInt128.self {
                guard unsafeBitCast(value, to: UInt128.self) <= UInt64.max else { throw tooLarge(value, at: key()) }
            }
        }
    }

    private func notFinite(_ value: Any, at key: (any CodingKey)?) -> EncodingError {
        invalid(value, "JSON has no form for \(value); send null or a string.", at: key)
    }

    private func tooLarge(_ value: Any, at key: (any CodingKey)?) -> EncodingError {
        invalid(
            value, "\(value) has more than 64 bits, which most readers of JSON would round; send a string.", at: key)
    }
}
