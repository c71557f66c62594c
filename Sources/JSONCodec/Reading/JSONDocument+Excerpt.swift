extension JSONDocument {
    /// The beginning of the text, as an error shows it. It takes no longer for a long text than for a short one.
    package func excerpt(_ limit: Int) -> String {
        let text =
            switch content {
            case .scalar(.string(let string)): "\"\(String(string.unicodeScalars.prefix(limit)))\""
            case .scalar(let json): json.description
            case .tape(let tape, let node): withExtendedLifetime(tape) { tape.reader.beginning(of: node, limit) }
            }
        return text.excerpt(limit)
    }
}

extension TapeReader {
    /// So many characters of a value's text, or a few more, or all of it if it is shorter.
    fileprivate func beginning(of node: Int, _ limit: Int) -> String {
        var text = ""
        append(node, to: &text, limit)
        return text
    }

    /// Stops when the text is longer than the limit. Each level of the recursion has written a character before.
    private func append(_ node: Int, to text: inout String, _ limit: Int) {
        let entry = self[node]
        switch entry.kind {
        case .string, .escapedString:
            // No character has more bytes than four.
            text += "\"" + String(decoding: bytes(of: node).prefix(4 * limit), as: UTF8.self)
            if entry.byteCount <= 4 * limit { text += "\"" }
        case .array, .object:
            let isObject = entry.isKind(.object)
            text += isObject ? "{" : "["
            var next = node + 1
            for index in 0..<entry.count {
                if text.unicodeScalars.count > limit { return }
                if index > 0 { text += "," }
                if isObject {
                    append(next, to: &text, limit)
                    text += ":"
                    next += 1
                }
                append(next, to: &text, limit)
                next = end(of: next)
            }
            text += isObject ? "}" : "]"
        case .null, .no, .yes, .integer, .unsigned, .double:
            text += json(at: node).description
        }
    }
}
