/// Parses JSON text. ``JSONScanner`` reads every text, and ``JSONCTree`` those few that the scanner leaves to json-c.
struct JSONTextParser: TapeParser {
    let maximumDepth: Int
    /// An integer that no double equals stands for the double that is nearest.
    let numbersAreDoubles: Bool
    /// Every text goes to json-c, so that tests can compare.
    let alwaysUsesJSONC: Bool

    func parse(
        _ bytes: UnsafeRawBufferPointer, tapeMemory: UnsafeMutableBufferPointer<TapeEntry>
    ) throws(JSONError) -> JSONDocument {
        var scanner = JSONScanner(bytes, maximumDepth: maximumDepth, tapeMemory: tapeMemory)
        try scanner.scan()
        let outcome = scanner.outcome
        if scanner.needsJSONC || alwaysUsesJSONC {
            // The scanner's tape is not needed any more, so its memory is used again.
            let tree = try JSONCTree(parsing: bytes, outcome, tapeMemory: tapeMemory)
            return tree.bytes.withUnsafeBytes { document(tree.tape, of: $0, outcome) }
        }
        if let fault = outcome.numberOutOfRange { throw fault.error }
        return document(scanner.tape, of: UnsafeRawBufferPointer(rebasing: bytes[outcome.value]), outcome)
    }

    private func document(
        _ tape: TapeBuilder, of bytes: UnsafeRawBufferPointer, _ outcome: JSONScanner.Outcome
    ) -> JSONDocument {
        if numbersAreDoubles { tape.roundIntegers() }
        return tape.document(of: bytes, depth: outcome.depth, hasUnusualKeys: outcome.hasUnusualKeys)
    }
}
