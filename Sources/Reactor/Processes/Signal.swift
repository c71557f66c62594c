/// A signal, by its number.
public struct Signal: RawRepresentable, Sendable, Hashable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// SIGHUP
    public static let hangUp = Signal(rawValue: 1)
    /// SIGINT
    public static let interrupt = Signal(rawValue: 2)
    /// SIGQUIT
    public static let quit = Signal(rawValue: 3)
    /// SIGABRT
    public static let abort = Signal(rawValue: 6)
    /// SIGKILL, which no program can catch.
    public static let kill = Signal(rawValue: 9)
    /// SIGTERM
    public static let terminate = Signal(rawValue: 15)
}

extension Signal: CustomStringConvertible {
    public var description: String {
        Self.names[rawValue] ?? "signal \(rawValue)"
    }
}
