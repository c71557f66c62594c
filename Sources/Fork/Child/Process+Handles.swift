internal import Messaging

extension Process {
    /// Sends a value as JSON, and open descriptors with it. Never waits, neither for the socket nor for the parent.
    ///
    /// The parent gets descriptors of its own, with this message and no other. Those that were given are closed here as soon
    /// as the message has been written, and also where it could not be: send duplicates to keep them
    /// (``Handles/init(duplicating:)``).
    ///
    /// - Returns: as the `send` without handles.
    /// - Throws: as the `send` without handles; also ``ForkError`` with the code `invalidArgument` for more than 253 handles
    ///   or one that is not open, and `notSupported` where the parent takes none. A descriptor that the kernel does
    ///   not pass is found only when it is written: an error event with the code `handlesLost`.
    @discardableResult
    public static func send(_ value: some Encodable, handles: consuming Handles) throws -> Bool {
        try ChildSide.require().channel.forward(value, handles)
    }

    /// Sends a value as JSON, and open descriptors with it, and waits until they have left this process.
    public static func send(_ value: some Encodable, handles: consuming Handles) async throws {
        _ = try ChildSide.require().channel.forward(value, handles)
        try await flush()
    }

    /// Sends bytes as they are, and open descriptors with them; otherwise like `send` of a value.
    @discardableResult
    public static func send(bytes: [UInt8], handles: consuming Handles) throws -> Bool {
        try ChildSide.require().channel.forward(bytes: bytes, handles)
    }

    /// Sends bytes as they are, and open descriptors with them, and waits until they have left this process.
    public static func send(bytes: [UInt8], handles: consuming Handles) async throws {
        _ = try ChildSide.require().channel.forward(bytes: bytes, handles)
        try await flush()
    }
}
