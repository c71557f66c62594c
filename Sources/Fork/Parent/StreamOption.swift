internal import Reactor

/// One of a child's streams, as its options ask for it.
struct StreamOption {
    let number: Int32
    let stream: ChildProcess.Stream
    /// The child reads from it.
    let isInput: Bool
    /// What its user calls it.
    let name: String
    /// Not one of the three that every child has.
    var isFurther = false
}

extension ChildProcess.Options {
    /// All streams, in the order of their numbers.
    var streams: [StreamOption] {
        let standard = [
            StreamOption(number: 0, stream: standardInput, isInput: true, name: "standardInput"),
            StreamOption(number: 1, stream: standardOutput, isInput: false, name: "standardOutput"),
            StreamOption(number: 2, stream: standardError, isInput: false, name: "standardError"),
        ]
        let further =
            inputs.map { stream("inputs", $0.key, $0.value, isInput: true) }
            + outputs.map { stream("outputs", $0.key, $0.value, isInput: false) }
        return standard + further.sorted { $0.number < $1.number }
    }

    private func stream(
        _ option: String, _ number: Int32, _ stream: ChildProcess.Stream, isInput: Bool
    ) -> StreamOption {
        StreamOption(number: number, stream: stream, isInput: isInput, name: "\(option)[\(number)]", isFurther: true)
    }

    /// The number of the channel in the child.
    var channelNumber: Int32 {
        streams.first { $0.stream == .channel }?.number ?? channelDescriptor
    }

    /// The option that says what the child has at a number.
    func name(of number: Int32) -> String {
        if let option = streams.first(where: { $0.number == number }) { return option.name }
        return number == channelNumber ? "channelDescriptor" : "inheritedDescriptors"
    }

    /// Refuses what can't be meant.
    func checkStreams() throws {
        let streams = streams
        let channels = streams.filter { $0.stream == .channel }
        if channels.count > 1 {
            throw ForkError(
                .invalidArgument, "The options \(channels[0].name) and \(channels[1].name) both are the channel")
        }
        for option in streams {
            if option.isFurther { try checkNumber(option) }
            try check(option)
        }
    }

    private func checkNumber(_ option: StreamOption) throws {
        let reason: String? =
            if !(3...1023).contains(option.number) {
                "the number must be 3 to 1023; those of the standard streams have options of their own"
            } else if streams.filter({ $0.number == option.number }).count > 1 {
                "the number is among the inputs and the outputs"
            } else if option.number == channelNumber {
                "the number is the channel's; see channelDescriptor"
            } else if inheritedDescriptors.contains(where: { $0.rawValue == option.number }) {
                "the number is among the inheritedDescriptors, too"
            } else {
                nil
            }
        if let reason { throw refusal(option, reason) }
    }

    private func check(_ option: StreamOption) throws {
        switch option.stream {
        case .null, .pipe: break
        case .inherit:
            if option.isFurther, !System.isOpen(option.number) { throw refusal(option, "that is not open") }
        case .file(let path, let append):
            if path.isEmpty { throw refusal(option, "the path of the file is empty, or has a NUL byte in it") }
            if append, option.isInput { throw refusal(option, "an input can't be appended to") }
        case .descriptor(let descriptor):
            let number = descriptor.rawValue
            if !System.isOpen(number) { throw refusal(option, "the descriptor \(number) is not open") }
        case .channel:
            if option.isFurther { throw refusal(option, "use channelDescriptor to give the channel this number") }
        case .sameAs(let other):
            guard let stream = streams.first(where: { $0.number == other }), stream.isInput == option.isInput else {
                throw refusal(option, "there is no \(option.isInput ? "input" : "output") \(other) to be the same as")
            }
            switch stream.stream {
            case .sameAs, .channel: throw refusal(option, "\(stream.name) is no stream of its own to be the same as")
            case .inherit, .null, .pipe, .file, .descriptor: break
            }
        }
    }

    private func refusal(_ option: StreamOption, _ reason: String) -> ForkError {
        ForkError(.invalidArgument, "The option \(option.name) can't be used: \(reason)")
    }
}
