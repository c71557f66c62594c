/// What two processes speak on their channel.
package enum Dialect: Sendable, Hashable {
    /// Frames: `Protocols/native-v1.md`.
    case native
    /// Lines of JSON, as stock Node.js speaks them: `Protocols/node.md`.
    case node

    /// Quicker from another module than `==`, which is called by way of the conformance there.
    package var isNative: Bool { if case .native = self { true } else { false } }
}
