public import Logging
internal import Reactor

extension ChildProcess {
    /// What becomes of an error that nobody hears: no error handler is attached when it happens, and nobody iterates
    /// over all events.
    ///
    /// Both sides often wait for each other then, and for ever: one has sent what the other could not read. An error
    /// handler that is attached later is still told the first sixteen of these errors. After sixteen nothing more is
    /// written, so that a peer can't fill a disk.
    public struct UnhandledErrors: Sendable {
        private enum Way {
            case print, ignore
            case log(Logger)
        }

        private let way: Way

        /// Writes a line to standard error, unless that would wait. The default.
        public static let print = UnhandledErrors(way: .print)
        /// Does nothing.
        public static let ignore = UnhandledErrors(way: .ignore)

        /// Logs them as errors, with the metadata `pid`, the child's.
        public static func log(to logger: Logger) -> UnhandledErrors {
            UnhandledErrors(way: .log(logger))
        }

        /// - Parameters:
        ///   - pid: the child's.
        ///   - isChild: whether this is the child.
        func report(_ error: ForkError, pid: Int32, isChild: Bool = false) {
            // An answer to somebody who has gone: that is told by the disconnect.
            if (error.cause as? ForkError)?.code == .disconnected { return }
            switch way {
            case .print:
                let (place, handler) = isChild ? ("in child", "Process.onError") : ("parent of child", "child.onError")
                System.printError("swift-fork, \(place) \(pid): \(error). Handle errors with \(handler).\n")
            case .log(let logger): logger.error("\(error)", metadata: ["pid": "\(pid)"])
            case .ignore: break
            }
        }
    }
}
