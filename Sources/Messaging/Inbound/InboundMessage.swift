package import JSONCodec
package import Reactor
package import Wire

/// A message as it came, read and checked.
package struct InboundMessage: Sendable {
    package enum Content: Sendable {
        case json(JSONDocument)
        case bytes([UInt8])
    }

    /// What most messages do not have, in one place, so that they are not larger for it.
    private final class Extras: Sendable {
        let handles: SharedDescriptors?
        let description: MessageDescription?

        private init(_ handles: SharedDescriptors?, _ description: MessageDescription?) {
            self.handles = handles
            self.description = description
        }

        static func needed(_ handles: SharedDescriptors?, _ description: MessageDescription?) -> Extras? {
            handles == nil && description == nil ? nil : Extras(handles, description)
        }
    }

    package let content: Content
    /// How long it was on the wire, without headers.
    package let byteCount: Int
    private let extras: Extras?

    /// The handles that came with it; closed with the message, unless somebody takes them.
    package var handles: SharedDescriptors? { extras?.handles }
    /// What it says of itself, where it does.
    package var description: MessageDescription? { extras?.description }

    /// What it counts in a buffer.
    package var cost: Int { byteCount + Cost.handle * (handles?.count ?? 0) }

    /// Reads a message that has come whole.
    init(
        _ kind: FrameKind, _ body: consuming MessageBody, _ description: MessageDescription? = nil,
        _ handles: SharedDescriptors? = nil, spare: inout [UInt8]
    ) throws(JSONError) {
        byteCount = body.count
        extras = Extras.needed(handles, description)
        if case .bytes = kind {
            content = .bytes(body.bytes())
            return
        }
        content = .json(try body.withBytes { bytes throws(JSONError) in try JSONDocument(parsing: bytes) })
        if let memory = body.spentMemory() { spare.recycle(memory) }
    }

    init(_ document: JSONDocument, handles: SharedDescriptors?, byteCount: Int) {
        content = .json(document)
        extras = Extras.needed(handles, nil)
        self.byteCount = byteCount
    }
}

extension [UInt8] {
    /// Memory that is larger than this is not kept for the next message.
    private static let keptCapacity = 4 << 20

    /// Takes the memory of a message that has been dealt with, unless what is here is larger.
    mutating func recycle(_ memory: consuming [UInt8]) {
        guard memory.capacity <= Self.keptCapacity, memory.capacity > capacity else { return }
        memory.removeAll(keepingCapacity: true)
        self = memory
    }
}

/// What happens in a conversation.
package enum ConversationEvent: Sendable {
    /// A message has come. `isOpening` where it is the first of a conversation that the peer opens; `isLast` where the
    /// peer says no more. `cost` is to be given back by `Channel.took` when it has been dealt with.
    case message(InboundMessage, isOpening: Bool, isLast: Bool, cost: UInt64)
    /// A message has come, and can't be read.
    case lost(ChannelError, isOpening: Bool, isLast: Bool)
    /// The peer says no more.
    case ended
    /// The peer ends it by an error. The body is JSON, if the peer is right.
    case failed([UInt8])
    /// The peer gives it up.
    case cancelled
    /// The peer has ended, and owed something.
    case abandoned
}
