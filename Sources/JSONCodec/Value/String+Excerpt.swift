extension String {
    /// The beginning of a text that came from a user or a peer, as an error shows it: at most as many characters as the
    /// limit and an ellipsis, with escapes for those that would move a cursor, start a line or turn the direction of
    /// writing.
    ///
    /// Characters are Unicode scalars, because a grapheme has no largest size.
    package func excerpt(_ limit: Int = 40) -> String {
        if utf8.count <= limit, utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return self }
        var text = ""
        var count = 0
        for scalar in unicodeScalars {
            let shown = scalar.shown
            count += shown.unicodeScalars.count
            if count > limit { return text + "…" }
            text += shown
        }
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var shown: String {
        switch self {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            "\\u{\(String(value, radix: 16, uppercase: true))}"
        default: String(self)
        }
    }
}

extension [any CodingKey] {
    /// The path as an error shows it, such as `.items[3].name`: of a long one the first three and the last two keys.
    package var excerpt: String {
        if count <= 6 { return map(\.excerpt).joined() }
        return prefix(3).map(\.excerpt).joined() + "…" + suffix(2).map(\.excerpt).joined()
    }
}

extension CodingKey {
    fileprivate var excerpt: String { intValue.map { "[\($0)]" } ?? ".\(stringValue.excerpt())" }
}
