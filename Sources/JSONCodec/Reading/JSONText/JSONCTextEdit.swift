/// A place in a valid text that json-c would read as something else.
struct JSONCTextEdit: Equatable {
    enum Kind: Equatable {
        /// An integer beyond 64 bits, which json-c would cut to the nearest it has. With an exponent it makes a double.
        case largeInteger
        /// `-0`, which json-c would read as the integer 0. With an exponent it makes the double -0.0.
        case negativeZero
        /// `\u0000` in a key, where json-c's copy of the key would end. The two bytes of ``ModifiedUTF8`` take its
        /// place.
        case nulInKey
        /// Two escapes that make a character such as U+1D800, whose low 16 bits json-c 0.16 takes for half a surrogate
        /// pair once more: it reads U+FFFD. The character itself takes their place.
        case surrogatePair(UInt32)
    }

    let kind: Kind
    let range: Range<Int>

    /// The bytes of `range` with all the edits, which lie in it, made.
    static func apply(_ edits: [JSONCTextEdit], to text: UnsafeRawBufferPointer, in range: Range<Int>) -> [UInt8] {
        var edited: [UInt8] = []
        edited.reserveCapacity(range.count + 2 * edits.count)
        var position = range.lowerBound
        for edit in edits {
            edited.append(contentsOf: text[position..<edit.range.lowerBound])
            switch edit.kind {
            case .largeInteger, .negativeZero:
                edited.append(contentsOf: text[edit.range])
                edited.append(contentsOf: "e0".utf8)
            case .nulInKey:
                edited.append(contentsOf: ModifiedUTF8.nul)
            case .surrogatePair(let scalar):
                for shift: UInt32 in [18, 12, 6, 0] {
                    let lead: UInt8 = shift == 18 ? 0xF0 : 0x80
                    edited.append(lead | UInt8(truncatingIfNeeded: scalar >> shift & 0x3F))
                }
            }
            position = edit.range.upperBound
        }
        edited.append(contentsOf: text[position..<range.upperBound])
        return edited
    }
}
