extension JSONText {
    /// The first integer in a JSON text that no double equals: a reader that knows only doubles, as JavaScript is, would
    /// take it for another one. Nil where there is none.
    ///
    /// - Parameter text: a JSON text that is known to be right.
    package static func firstIntegerBeyondDouble<Text: RandomAccessCollection<UInt8>>(in text: Text) -> String?
    where Text.Index == Int {
        var index = text.startIndex
        while index < text.endIndex {
            switch text[index] {
            case UInt8(ascii: "\""): index = endOfString(in: text, from: index)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let end = text[index...].firstIndex { !isPartOfNumber($0) } ?? text.endIndex
                // Every integer of fifteen digits is a double.
                if end - index > 15, !isDouble(text[index..<end]) {
                    return String(decoding: text[index..<end], as: UTF8.self)
                }
                index = end
            default: index += 1
            }
        }
        return nil
    }

    private static func endOfString<Text: RandomAccessCollection<UInt8>>(in text: Text, from start: Int) -> Int
    where Text.Index == Int {
        var index = start + 1
        while text[index] != UInt8(ascii: "\"") {
            index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return index + 1
    }

    private static func isPartOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"),
            UInt8(ascii: "+"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Whether the number, without its sign, is the same as a double: written as one, or an integer that is one.
    private static func isDouble(_ number: some Collection<UInt8>) -> Bool {
        let text = String(decoding: number, as: UTF8.self)
        guard number.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return true }
        guard let integer = UInt64(text) else { return true }
        return Double(exactly: integer) != nil
    }
}
