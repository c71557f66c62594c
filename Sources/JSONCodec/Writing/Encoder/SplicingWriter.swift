/// A buffer that grows at its end, with a stack of the containers that are still open there.
///
/// Codable lets containers be written in any order, while the buffer has but one end. So a container is closed only
/// when something outside it is written. What is written to it after that, or to a `superEncoder`, goes to a writer of
/// its own, which is spliced in at the recorded offset when all is done.
final class SplicingWriter {
    /// The encoding that is written.
    typealias Buffer = JSONTextBuffer

    /// The buffer stands behind a pointer because the checks for exclusive access to a class's variables took a third
    /// of the time. They are not needed: the pointer never leaves this module, a writer belongs to one call of
    /// ``JSONText/append(_:numbersAreDoubles:to:)`` on one thread, and no function that is given the buffer calls out
    /// of this module.
    let buffer: UnsafeMutablePointer<Buffer>
    /// The innermost of the open containers; each knows the one that it stands in.
    @exclusivity(unchecked) private var innermost: ValueEncoder?
    @exclusivity(unchecked) private var openCount = 0
    @exclusivity(unchecked) private var splices: [Splice] = []

    init() {
        buffer = .allocate(capacity: 1)
        buffer.initialize(to: Buffer())
    }

    deinit {
        buffer.pointee.deallocate()
        buffer.deallocate()
    }

    /// Returns the level of the encoder, which is its index counted from the outermost.
    func push(_ encoder: ValueEncoder) -> Int {
        encoder.outer = innermost
        innermost = encoder
        openCount += 1
        return openCount - 1
    }

    private func pop() -> ValueEncoder? {
        guard let encoder = innermost else { return nil }
        innermost = encoder.outer
        encoder.outer = nil
        openCount -= 1
        return encoder
    }

    /// Closes all that is open inside the container at that level; -1 stands for what is around all of them.
    @inline(__always)
    func close(above level: Int) {
        if openCount > level + 1 { closeInner(above: level) }
    }

    private func closeInner(above level: Int) {
        while openCount > level + 1, var encoder = pop() {
            let mayContinue = !isKnownUniquelyReferenced(&encoder)
            encoder.close(mayContinue: mayContinue)
            if !mayContinue { encoder.session.recycle(encoder) }
        }
    }

    /// A writer whose text will stand at the offset, in the place of a value that is written apart.
    func spliceValue(at offset: Int) -> SplicingWriter {
        splice(at: offset, purpose: .value)
    }

    /// A writer whose text will stand at the offset, for the further members of a container that was closed there.
    func spliceMembers(at offset: Int) -> SplicingWriter {
        splice(at: offset, purpose: .members)
    }

    private func splice(at offset: Int, purpose: Splice.Purpose) -> SplicingWriter {
        let writer = SplicingWriter()
        splices.append(Splice(offset: offset, purpose: purpose, writer: writer))
        return writer
    }

    /// Closes all that is open and puts every splice in its place.
    func finish() {
        while let encoder = pop() { encoder.close(mayContinue: false) }
        guard !splices.isEmpty else { return }
        // At one offset a value comes before the members that follow it. Otherwise the order of making counts.
        let ordered = splices.enumerated().sorted { left, right in
            (left.element.offset, left.element.purpose.rawValue, left.offset)
                < (right.element.offset, right.element.purpose.rawValue, right.offset)
        }
        splices = []
        var spliced = Buffer()
        var position = 0
        for (_, splice) in ordered {
            splice.writer.finish()
            buffer.pointee.noteIntegers(of: splice.writer.buffer.pointee)
            spliced.append(UnsafeBufferPointer(rebasing: buffer.pointee.bytes[position..<splice.offset]))
            let part = splice.writer.buffer.pointee.bytes
            spliced.append(part)
            position = splice.offset
        }
        spliced.append(UnsafeBufferPointer(rebasing: buffer.pointee.bytes[position...]))
        buffer.pointee.replaceBytes(with: &spliced)
        spliced.deallocate()
    }

    /// Lets go of the open containers, which hold this writer in their turn.
    func abandon() {
        while pop() != nil {}
        for splice in splices { splice.writer.abandon() }
        splices = []
    }
}

extension SplicingWriter {
    /// What was written apart, and where it belongs.
    private struct Splice {
        enum Purpose: Int {
            case value, members
        }

        let offset: Int
        let purpose: Purpose
        let writer: SplicingWriter
    }
}
