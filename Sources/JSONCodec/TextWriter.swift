/// Text that grows at its end, with a stack of the containers that are still open there.
///
/// Codable lets containers be written in any order, while text has but one end. So a container is closed only when
/// something outside it is written. What is written to it after that, or to a `superEncoder`, goes to a writer of its own,
/// which is spliced in at the recorded offset when all is done.
final class TextWriter {
    var bytes: [UInt8] = []
    /// From the outermost to the innermost; a slot's `level` is its index.
    private(set) var open: [EncodingSlot] = []
    /// Where the keys of the open objects stand in `bytes`, escaped and without quotes; a run for each open slot.
    var keys: [Range<Int>] = []
    private var splices: [Splice] = []

    private struct Splice {
        enum Purpose: Int {
            case value, members
        }

        let offset: Int
        let purpose: Purpose
        let writer: TextWriter
    }

    func push(_ slot: EncodingSlot) -> Int {
        open.append(slot)
        return open.count - 1
    }

    /// Closes all that is open inside the container at that level; -1 stands for what is around all of them.
    func close(above level: Int) {
        while open.count > level + 1 {
            var slot = open.removeLast()
            slot.close(isReferenced: !isKnownUniquelyReferenced(&slot))
        }
    }

    /// A writer whose text will stand at the offset, in the place of a value that is written apart.
    func spliceValue(at offset: Int) -> TextWriter {
        splice(at: offset, purpose: .value)
    }

    /// A writer whose text will stand at the offset, for the further members of a container that was closed there.
    func spliceMembers(at offset: Int) -> TextWriter {
        splice(at: offset, purpose: .members)
    }

    private func splice(at offset: Int, purpose: Splice.Purpose) -> TextWriter {
        let writer = TextWriter()
        splices.append(Splice(offset: offset, purpose: purpose, writer: writer))
        return writer
    }

    /// Closes all that is open and puts every splice in its place.
    func finish() {
        close(above: -1)
        guard !splices.isEmpty else { return }
        // At one offset a value comes before the members that follow it. Otherwise the order of making counts.
        let ordered = splices.enumerated().sorted { left, right in
            (left.element.offset, left.element.purpose.rawValue, left.offset)
                < (right.element.offset, right.element.purpose.rawValue, right.offset)
        }
        splices = []
        var spliced: [UInt8] = []
        var position = 0
        for (_, splice) in ordered {
            splice.writer.finish()
            spliced.append(contentsOf: bytes[position..<splice.offset])
            spliced.append(contentsOf: splice.writer.bytes.isEmpty ? Array("{}".utf8) : splice.writer.bytes)
            position = splice.offset
        }
        spliced.append(contentsOf: bytes[position...])
        bytes = spliced
    }
}
