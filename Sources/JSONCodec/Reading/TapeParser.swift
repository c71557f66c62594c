/// A parser of one encoding. It checks the bytes of a value and writes the value to a tape.
///
/// A second encoding, such as CBOR, is one more type that conforms, in a folder beside `JSONText`. Nothing else of
/// reading has to change: ``TapeDecoder`` and ``JSON`` read the tape, and do not know which parser has filled it.
protocol TapeParser {
    /// Parses one value.
    ///
    /// - Parameters:
    ///   - bytes: not kept.
    ///   - tapeMemory: what a ``TapeBuilder`` can begin in. It lives as long as this call.
    /// - Returns: what ``TapeBuilder/document(of:depth:hasUnusualKeys:)`` makes of the tape.
    func parse(
        _ bytes: UnsafeRawBufferPointer, tapeMemory: UnsafeMutableBufferPointer<TapeEntry>
    ) throws(JSONError) -> JSONDocument
}
