extension EventHub {
    /// Kinds of events.
    struct Interest: OptionSet {
        let rawValue: UInt8
        static let spawn = Interest(rawValue: 1)
        static let message = Interest(rawValue: 2)
        static let error = Interest(rawValue: 4)
        static let disconnect = Interest(rawValue: 8)
        static let exit = Interest(rawValue: 16)
        static let close = Interest(rawValue: 32)
        static let all: Interest = [.spawn, .message, .error, .disconnect, .exit, .close]
    }
}

extension ChildProcess.Event {
    var interest: EventHub.Interest {
        switch self {
        case .spawn: .spawn
        case .message: .message
        case .error: .error
        case .disconnect: .disconnect
        case .exit: .exit
        case .close: .close
        }
    }
}
