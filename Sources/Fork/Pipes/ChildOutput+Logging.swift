public import Logging

extension ChildOutput {
    /// Logs each line, from now to the end of the output, with the metadata `pid`, the child's, and `stream`: `stdout`,
    /// `stderr`, or the number of the descriptor. Nothing need be kept, and the close event comes after the last line.
    ///
    /// - Parameters:
    ///   - logger: gets the lines, each as a message.
    ///   - level: of the messages. Default: info.
    /// - Returns: the task that does it. Cancelled, it reads no more, and another consumer can go on.
    @discardableResult
    public func forwardLines(to logger: Logger, level: Logger.Level = .info) -> Task<Void, Never> {
        // From now on, not from whenever the task begins.
        let consumer = OutputConsumer(reader, isLasting: true)
        let stream =
            switch number {
            case 1: "stdout"
            case 2: "stderr"
            default: "\(number)"
            }
        let metadata: Logger.Metadata = ["pid": "\(pid)", "stream": "\(stream)"]
        return Task {
            var lines = Lines.AsyncIterator(consumer)
            while let line = await lines.next() {
                logger.log(level: level, "\(line)", metadata: metadata)
            }
        }
    }
}
