/// Text that grows at its end, with a stack of the containers that are still open there.
///
/// Codable lets containers be written in any order, while text has but one end. So a container is closed only when
/// something outside it is written. What is written to it after that, or to a `superEncoder`, goes to a writer of its
/// own, which is spliced in at the recorded offset when all is done.
final class TextWriter {
    /// The text stands behind a pointer because the checks for exclusive access to a class's variables took a third of
    /// the time. They are not needed: the pointer never leaves this module, a writer belongs to one call of
    /// ``JSONText/append(_:to:)`` on one thread, and no function that is given the text calls out of this module.
    let text: UnsafeMutablePointer<Text>
    /// The innermost of the open containers; each knows the one that it stands in.
    @exclusivity(unchecked) private var innermost: EncodingSlot?
    @exclusivity(unchecked) private var openCount = 0
    @exclusivity(unchecked) private var splices: [Splice] = []

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
        text.pointee.deallocate()
        text.deallocate()
    }

    /// Returns the level of the slot, which is its index counted from the outermost.
    func push(_ slot: EncodingSlot) -> Int {
        slot.outer = innermost
        innermost = slot
        openCount += 1
        return openCount - 1
    }

    private func pop() -> EncodingSlot? {
        guard let slot = innermost else { return nil }
        innermost = slot.outer
        slot.outer = nil
        openCount -= 1
        return slot
    }

    /// Closes all that is open inside the container at that level; -1 stands for what is around all of them.
    @inline(__always)
    func close(above level: Int) {
        if openCount > level + 1 { closeInner(above: level) }
    }

    private func closeInner(above level: Int) {
        while openCount > level + 1, var slot = pop() {
            let mayContinue = !isKnownUniquelyReferenced(&slot)
            slot.close(mayContinue: mayContinue)
            if !mayContinue { slot.session.recycle(slot) }
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
        while let slot = pop() { slot.close(mayContinue: false) }
        guard !splices.isEmpty else { return }
        // At one offset a value comes before the members that follow it. Otherwise the order of making counts.
        let ordered = splices.enumerated().sorted { left, right in
            (left.element.offset, left.element.purpose.rawValue, left.offset)
                < (right.element.offset, right.element.purpose.rawValue, right.offset)
        }
        splices = []
        var spliced = Text()
        var position = 0
        for (_, splice) in ordered {
            splice.writer.finish()
            text.pointee.noteIntegers(of: splice.writer.text.pointee)
            spliced.append(UnsafeBufferPointer(rebasing: text.pointee.bytes[position..<splice.offset]))
            let part = splice.writer.text.pointee.bytes
            spliced.append(part)
            position = splice.offset
        }
        spliced.append(UnsafeBufferPointer(rebasing: text.pointee.bytes[position...]))
        text.pointee.replaceBytes(with: &spliced)
        spliced.deallocate()
    }

    /// Lets go of the open containers, which hold this writer in their turn.
    func abandon() {
        while pop() != nil {}
        for splice in splices { splice.writer.abandon() }
        splices = []
    }
}
