/// Kinds of events.
struct EventSet: OptionSet {
    let rawValue: UInt8
    static let spawn = EventSet(rawValue: 1)
    static let message = EventSet(rawValue: 2)
    static let error = EventSet(rawValue: 4)
    static let disconnect = EventSet(rawValue: 8)
    static let exit = EventSet(rawValue: 16)
    static let close = EventSet(rawValue: 32)
    static let all: EventSet = [.spawn, .message, .error, .disconnect, .exit, .close]
}

extension Event {
    var kind: EventSet {
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
