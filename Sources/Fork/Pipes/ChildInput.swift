/// What a child reads from a stream that is a pipe.
///
/// Writes from several tasks follow each other in the order of the calls; none is torn apart by another.
public struct ChildInput: Sendable {
    let writer: PipeWriter
    let number: Int32

    /// Writes the bytes, and returns when the pipe has taken all of them. A child that does not read makes the writer
    /// wait, and nothing is kept meanwhile but the bytes themselves.
    ///
    /// - Throws: ``ForkError`` with the code `streamClosed` after ``finish()``, and if the child has closed the
    ///   stream or ended; the child may have read a part then. `CancellationError` if the task is cancelled while it
    ///   waits: the stream stays open, and may have taken a part of the bytes, with which the next write's go on. A
    ///   write that has not begun, because others were before it, has written nothing then.
    public func write(_ bytes: [UInt8]) async throws {
        switch await writer.write(bytes) {
        case .written: return
        case .cancelled: throw CancellationError()
        case .refused(let end):
            let reason =
                switch end {
                case .finished: "it has been finished"
                case .peerClosed: "the child has closed it"
                case .childEnded: "the child has ended"
                }
            throw ForkError(.streamClosed, "The child's \(StreamName(number)) can't be written to: \(reason)")
        }
    }

    /// Writes the text as UTF-8; otherwise like the `write` of bytes.
    public func write(_ text: String) async throws {
        try await write(Array(text.utf8))
    }

    /// Closes the stream after all that has been given to `write` so far: the child reads its end. Calling it again has
    /// no effect.
    public func finish() {
        writer.finish()
    }
}
