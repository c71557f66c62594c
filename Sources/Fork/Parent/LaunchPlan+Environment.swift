internal import JSONCodec
internal import Reactor

extension LaunchPlan {
    /// The child's variables, as `NAME=value`.
    func environment() throws -> [[UInt8]] {
        try ownEnvironment().filter { !Self.isOfChannel($0) } + channelVariables
    }

    private func ownEnvironment() throws -> [[UInt8]] {
        switch options.environment {
        case .inherit:
            return System.environment()
        case .inheritUpdating(let changes):
            for (name, value) in changes { try check(name, value ?? "") }
            let unchanged = System.environment().filter { entry in
                !changes.keys.contains { Self.isVariable(entry, $0) }
            }
            return unchanged + changes.compactMap { name, value in value.map { Array("\(name)=\($0)".utf8) } }
        case .custom(let variables):
            for (name, value) in variables { try check(name, value) }
            return variables.map { Array("\($0)=\($1)".utf8) }
        }
    }

    static func isVariable(_ entry: [UInt8], _ name: String) -> Bool {
        entry.starts(with: name.utf8) && entry.dropFirst(name.utf8.count).first == UInt8(ascii: "=")
    }

    private func check(_ name: String, _ value: String) throws {
        try name.refuseNUL("The variable '\(name.excerpt())' for '\(path.abbreviated)'")
        try value.refuseNUL("The value of the variable '\(name.excerpt())' for '\(path.abbreviated)'")
        if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) {
            throw ForkError(
                .invalidArgument,
                """
                '\(name.excerpt())' can't be the name of a variable for '\(path.abbreviated)': \
                it is empty or has a '=' in it
                """
            )
        }
    }

    /// What tells the child of its channel.
    private var channelVariables: [[UInt8]] {
        let variables =
            switch options.dialect {
            case .native:
                [
                    "\(InheritedChannel.channelVariable)=\(options.channelNumber)",
                    "\(InheritedChannel.limitVariable)=\(options.maximumMessageSize)",
                ]
            case .node:
                [
                    "\(InheritedChannel.nodeChannelVariable)=\(options.channelNumber)",
                    "\(InheritedChannel.nodeModeVariable)=json",
                ]
            }
        return variables.map { Array($0.utf8) }
    }

    /// Whether a variable would tell the child of another channel than its own.
    private static func isOfChannel(_ entry: [UInt8]) -> Bool {
        [
            InheritedChannel.channelVariable, InheritedChannel.limitVariable, InheritedChannel.nodeChannelVariable,
            InheritedChannel.nodeModeVariable,
        ].contains { isVariable(entry, $0) }
    }
}
