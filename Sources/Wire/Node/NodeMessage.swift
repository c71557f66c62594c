package import JSONCodec

/// What a line of the Node dialect is: a user's message, or one of Node's own, which never reaches a user.
package enum NodeMessage: Sendable {
    case user(JSONDocument)
    /// A message that a descriptor rides with; nil where it is for a part of Node that is not here.
    case handle(JSONDocument?)
    /// The descriptor of this side's last message with one has arrived.
    case acknowledged
    /// It has not; the message is to be sent again.
    case refused
    /// A question that somebody waits for, and the line that answers it.
    case question(answer: [UInt8])
    /// For parts of Node that are not here: the cluster module's, and others'.
    case other

    /// What Node's own messages begin their `cmd` with.
    private static let prefix = "NODE_"

    package init(_ document: JSONDocument) {
        guard let command = Self.command(of: document) else {
            self = .user(document)
            return
        }
        switch command {
        case "NODE_HANDLE": self = .handle(Self.message(of: document))
        case "NODE_HANDLE_ACK": self = .acknowledged
        case "NODE_HANDLE_NACK": self = .refused
        case "NODE_SOCKET_GET_COUNT": self = Self.question(document, answer: "NODE_SOCKET_COUNT", [("count", 0)])
        case "NODE_SOCKET_NOTIFY_CLOSE": self = Self.question(document, answer: "NODE_SOCKET_ALL_CLOSED")
        default: self = .other
        }
    }

    /// The user's message in one with a handle. Node wraps the whole line once more where it sends it again.
    private static func message(of document: JSONDocument) -> JSONDocument? {
        guard let inner = document.member("msg") else { return nil }
        switch command(of: inner) {
        case nil: return inner
        case "NODE_HANDLE": return inner.member("msg").flatMap { command(of: $0) == nil ? $0 : nil }
        default: return nil
        }
    }

    /// Node asks, by the name of a server, after the sockets that it has given away. Nobody keeps count of them here,
    /// and without an answer it would wait until the channel ends.
    private static func question(
        _ document: JSONDocument, answer: String, _ members: [(String, JSON)] = []
    ) -> Self {
        guard let key = document.member("key")?.string, key.utf8.count <= 1024 else { return .other }
        var bytes: [UInt8] = []
        var object: JSON.Object = ["cmd": .string(answer), "key": .string(key)]
        for (name, value) in members { object[name] = value }
        // A value of JSON can always be written.
        try? JSONText.append(JSON.object(object), to: &bytes)
        return .question(answer: bytes + [UInt8(ascii: "\n")])
    }

    /// The command of a message of Node's own; nil for a user's.
    private static func command(of document: JSONDocument) -> String? {
        // By its bytes, as Node compares: a combining character after the prefix is one character with its end.
        guard let command = document.member("cmd")?.string, command.utf8.starts(with: prefix.utf8),
            command.utf8.count > prefix.utf8.count
        else { return nil }
        return command
    }
}

/// Writes lines of the Node dialect.
package enum NodeEncoder {
    /// What kept a value from being sent.
    package enum Refusal: Error, Equatable, Sendable {
        /// It would be taken for one of Node's own messages.
        case internalMessage
    }

    /// The kind of thing that a descriptor is, as Node names it.
    package enum HandleType: String, Sendable {
        case socket = "net.Socket"
        case server = "net.Server"
        case datagram4 = "dgram.Socket\",\"dgramType\":\"udp4"
        case datagram6 = "dgram.Socket\",\"dgramType\":\"udp6"
    }

    package static let acknowledgement = Array("{\"cmd\":\"NODE_HANDLE_ACK\"}\n".utf8)
    package static let refusal = Array("{\"cmd\":\"NODE_HANDLE_NACK\"}\n".utf8)

    /// Appends a line. Where that throws, `bytes` is as it was before.
    ///
    /// - Throws: ``Refusal``, and what ``JSONText/append(_:numbersAreDoubles:to:)`` throws.
    package static func append(_ value: some Encodable, handle: HandleType? = nil, to bytes: inout [UInt8]) throws {
        let length = bytes.count
        do {
            if let handle { bytes += "{\"cmd\":\"NODE_HANDLE\",\"type\":\"\(handle.rawValue)\",\"msg\":".utf8 }
            let start = bytes.count
            try JSONText.append(value, numbersAreDoubles: true, to: &bytes)
            try bytes.withUnsafeBytes { try check(UnsafeRawBufferPointer(rebasing: $0[start...])) }
            if handle != nil { bytes.append(UInt8(ascii: "}")) }
            bytes.append(UInt8(ascii: "\n"))
        } catch {
            bytes.removeSubrange(length...)
            throw error
        }
    }

    private static func check(_ text: UnsafeRawBufferPointer) throws {
        // Most messages end here: only an object with Node's prefix somewhere is looked at closer.
        guard text.first == UInt8(ascii: "{"), text.contains("\"NODE_") else { return }
        guard case .user = NodeMessage(try JSONDocument(parsing: text)) else { throw Refusal.internalMessage }
    }

    /// How many lines end behind the offset.
    package static func messageCount(in bytes: [UInt8], behind offset: Int) -> Int {
        bytes[offset...].count { $0 == UInt8(ascii: "\n") }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the text stands somewhere in the bytes. Eight places are looked at in one go for its first two bytes.
    fileprivate func contains(_ text: StaticString) -> Bool {
        let wanted = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let low: UInt64 = 0x0101_0101_0101_0101
        let (first, second) = (low &* UInt64(wanted[0]), low &* UInt64(wanted[1]))
        var index = 0
        while index + wanted.count <= count {
            if index + 9 <= count {
                // A byte becomes zero where both are right, and is found by what subtracting one from it borrows.
                let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ first
                let next = UInt64(littleEndian: loadUnaligned(fromByteOffset: index + 1, as: UInt64.self)) ^ second
                let zeros = ((word | next) &- low) & ~(word | next) & (low &* 0x80)
                index += zeros == 0 ? 8 : zeros.trailingZeroBitCount / 8
                if zeros == 0 { continue }
            }
            if self[index...].starts(with: wanted) { return true }
            index += 1
        }
        return false
    }
}
