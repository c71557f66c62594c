import Logging

/// A log of one line a message, without times and process numbers, so that it is the same each time. Yours is whatever
/// your program logs with.
struct Lines: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let source = event.metadata?["stream"].map { "child, \($0)" } ?? "parent"
        print("\(event.level) [\(source)] \(event.message)")
    }
}
