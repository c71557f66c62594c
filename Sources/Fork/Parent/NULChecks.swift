internal import SystemPackage

// No path, argument or variable of a program can have a NUL byte.
extension String {
    func refuseNUL(_ what: @autoclosure () -> String) throws {
        if utf8.contains(0) {
            throw ForkError(.invalidArgument, "\(what()) has a NUL byte in it, which no program can be given")
        }
    }
}

extension FilePath {
    /// The path of a text. No path has a NUL byte: of a text with one this is the empty path, which is refused.
    init(emptyIfInvalid text: String) {
        self = text.utf8.contains(0) ? FilePath() : FilePath(text)
    }

    /// The path of a text, which is refused if it has a NUL byte.
    init(checking text: String) throws {
        try text.refuseNUL("The path '\(text.abbreviated)'")
        self.init(text)
    }
}
