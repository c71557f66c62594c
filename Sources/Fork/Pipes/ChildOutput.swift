/// What a child writes to a stream that is a pipe: chunks of bytes, as they come, until the end.
///
/// Nothing is read before somebody asks, and only a chunk at a time: while nobody takes more, the pipe fills, and the
/// child waits as it would for a slow terminal. The iteration ends with nil after the last byte, also if the child
/// is killed. It ends when nobody can write any more: a grandchild that has the stream keeps it going, as in a shell.
///
/// All iterators, of ``lines`` too, take from one stream: each chunk goes to one of them. Iteration ends early, with
/// nil, when its task is cancelled; that loses nothing, and another iterator can go on.
public struct ChildOutput: AsyncSequence, Sendable {
    let reader: PipeReader
    /// Of whom, and which of its streams.
    let pid: Int32
    let number: Int32

    public struct AsyncIterator: AsyncIteratorProtocol {
        let consumer: OutputConsumer

        /// The next bytes, at least one and at most 64 KiB.
        public mutating func next() async -> [UInt8]? {
            await consumer.reader.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(consumer: OutputConsumer(reader))
    }

    /// The same as lines of text.
    public var lines: Lines { Lines(output: self) }

    /// All bytes from here to the end.
    ///
    /// - Parameter limit: how many bytes are taken at most.
    /// - Throws: ``ForkError`` with the code `outputTooLong` if more come; what was read is thrown away, and the
    ///   rest stays to be read. `CancellationError` if the task is cancelled; what was read is thrown away then,
    ///   too.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        let consumer = OutputConsumer(reader)
        var all: [UInt8] = []
        while let chunk = await consumer.reader.next() {
            if chunk.count > limit - all.count {
                throw ForkError(
                    .outputTooLong, "The child has written more than \(limit) bytes to its \(StreamName(number))")
            }
            all += chunk
        }
        try Task.checkCancellation()
        return all
    }
}

extension ChildOutput {
    /// The lines of an output.
    ///
    /// "\n" and "\r\n" end a line and are no part of it; what follows the last of them is a line, too. Bytes that are
    /// not UTF-8 become U+FFFD. A line longer than 1 MiB comes in pieces of at most that length. An iterator that is
    /// given up takes the rest of its last chunk with it.
    public struct Lines: AsyncSequence, Sendable {
        let output: ChildOutput

        public struct AsyncIterator: AsyncIteratorProtocol {
            let consumer: OutputConsumer
            private var splitter = LineSplitter()

            init(_ consumer: OutputConsumer) {
                self.consumer = consumer
            }

            /// The next line.
            public mutating func next() async -> String? {
                while true {
                    if let line = splitter.next() { return line }
                    guard let chunk = await consumer.reader.next() else {
                        // What a cancelled iteration has of a line may still go on.
                        return Task.isCancelled ? nil : splitter.finish()
                    }
                    splitter.append(chunk)
                }
            }
        }

        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(OutputConsumer(output.reader))
        }
    }
}

/// What people call a stream.
struct StreamName: CustomStringConvertible {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    var description: String {
        switch number {
        case 0: "standard input"
        case 1: "standard output"
        case 2: "standard error"
        default: "descriptor \(number)"
        }
    }
}
