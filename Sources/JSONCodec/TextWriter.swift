/// Text that grows at its end, with a stack of the containers that are still open there.
///
/// Codable lets containers be written in any order, while text has but one end. So a container is closed only when
/// something outside it is written. What is written to it after that, or to a `superEncoder`, goes to a writer of its own,
/// which is spliced in at the recorded offset when all is done.
final class TextWriter {
    /// The text stands behind a pointer because the checks for exclusive access to a class's variables took a third of the
    /// time. They are not needed: the pointer never leaves this module, a writer belongs to one call of
    /// ``JSONText/append(_:to:)`` on one thread, and no function that is given the text calls out of this module.
    let text: UnsafeMutablePointer<Text>
    /// From the outermost to the innermost; a slot's `level` is its index.
    private var open: [EncodingSlot] = []
    private var splices: [Splice] = []

    private struct Splice {
        enum Purpose: Int {
            case value, members
        }

        let offset: Int
        let purpose: Purpose
        let writer: TextWriter
    }

    init() {
        text = .allocate(capacity: 1)
        text.initialize(to: Text())
    }

    deinit {
        text.deinitialize(count: 1)
        text.deallocate()
    }

    func push(_ slot: EncodingSlot) -> Int {
        open.append(slot)
        return open.count - 1
    }

    /// Closes all that is open inside the container at that level; -1 stands for what is around all of them.
    func close(above level: Int) {
        while open.count > level + 1 {
            let mayContinue = !isKnownUniquelyReferenced(&open[open.count - 1])
            open.removeLast().close(mayContinue: mayContinue)
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
        while let slot = open.popLast() { slot.close(mayContinue: false) }
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
            spliced.append(contentsOf: text.pointee.bytes[position..<splice.offset])
            spliced.append(
                contentsOf: splice.writer.text.pointee.bytes.isEmpty
                    ? Array("{}".utf8) : splice.writer.text.pointee.bytes)
            position = splice.offset
        }
        spliced.append(contentsOf: text.pointee.bytes[position...])
        text.pointee.bytes = spliced
    }

    /// Lets go of the open containers, which hold this writer in their turn.
    func abandon() {
        open = []
        for splice in splices { splice.writer.abandon() }
        splices = []
    }
}

extension TextWriter {
    /// The text itself and the keys in it.
    struct Text {
        var bytes: [UInt8] = []
        /// Where the keys of the open objects stand, escaped and without quotes; a run for each open slot.
        var keys: [Range<Int>] = []

        /// Writes a key, its colon, and a comma before it where it is not the first.
        mutating func append(key: String, isFirst: Bool) -> Range<Int> {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            let start = bytes.count
            bytes.append(escaped: key)
            let end = bytes.count
            bytes.append(ascii: "\":")
            return start..<end
        }

        /// The same, and records the key, unless an object whose keys begin at `firstKey` has it already: then it writes
        /// nothing and returns false. The keys are compared one by one, which beats hashing for sixteen or so.
        mutating func append(newKey key: String, isFirst: Bool, firstKey: Int) -> Bool {
            let length = bytes.count
            let range = append(key: key, isFirst: isFirst)
            let isKnown = bytes.withUnsafeBufferPointer { bytes in
                keys[firstKey...].contains { known in
                    known.count == range.count && bytes[known].elementsEqual(bytes[range])
                }
            }
            if isKnown {
                bytes.removeLast(bytes.count - length)
            } else {
                if keys.isEmpty { keys.reserveCapacity(EncodingSlot.fewKeys) }
                keys.append(range)
            }
            return !isKnown
        }
    }
}
