internal import Reactor

extension ChildProcess.Options {
    /// Refuses what can't be meant, before anything is made.
    func check() throws {
        try check(maximumMessageSize, "maximumMessageSize", (dialect == .node ? 1024 : 65_536)...Int(Int32.max))
        try check(Int(channelDescriptor), "channelDescriptor", 3...1023)
        if let nice { try check(Int(nice), "nice", -20...19) }
        if let parentDeathSignal { try check(Int(parentDeathSignal.rawValue), "parentDeathSignal", 1...64) }
        try check(Int(killSignal.rawValue), "killSignal", 1...64)
        if highWaterMark < 1 || queueLimit < highWaterMark {
            throw ForkError(
                .invalidArgument,
                """
                The option highWaterMark is \(highWaterMark) and queueLimit \(queueLimit); \
                the first must be at least 1 and the second no smaller than the first
                """)
        }
        if let timeout, timeout < .zero {
            throw ForkError(.invalidArgument, "The option timeout is negative")
        }
        if createsSession, processGroup != .inherit {
            throw ForkError(
                .invalidArgument,
                """
                The options createsSession and processGroup exclude each other: \
                a session begins with a group of its own
                """
            )
        }
        if killsGroupOnExit, !createsSession, processGroup != .new {
            throw ForkError(
                .invalidArgument,
                "The option killsGroupOnExit needs a group of the child's own: processGroup or createsSession"
            )
        }
        if case .join(let group) = processGroup, group < 1 {
            throw ForkError(.invalidArgument, "The option processGroup names the group \(group); groups begin at 1")
        }
        try checkStreams()
        try checkDescriptors()
        try resourceLimits.check()
    }

    private func checkDescriptors() throws {
        for descriptor in inheritedDescriptors.map(\.rawValue) {
            if descriptor <= 2 || descriptor == channelNumber {
                throw ForkError(
                    .invalidArgument,
                    """
                    The option inheritedDescriptors names \(descriptor), which is a standard stream or the channel \
                    in the child
                    """)
            }
            if !System.isOpen(descriptor) {
                throw ForkError(
                    .invalidArgument, "The option inheritedDescriptors names \(descriptor), which is not open")
            }
        }
    }

    private func check(_ value: Int, _ name: String, _ range: ClosedRange<Int>) throws {
        if !range.contains(value) {
            throw ForkError(
                .invalidArgument,
                "The option \(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

extension ChildProcess.ResourceLimits {
    fileprivate func check() throws {
        for (name, limit, _) in all {
            if let limit, limit.soft > limit.hard {
                throw ForkError(
                    .invalidArgument, "The limit \(name) is \(limit.soft), more than its hard limit of \(limit.hard)")
            }
        }
    }
}
