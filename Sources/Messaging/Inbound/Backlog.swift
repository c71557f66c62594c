internal import DequeModule
internal import JSONCodec
internal import Reactor
internal import Wire

/// Plain messages that have come and that nobody has taken, in order. The bodies of small ones lie in one piece of
/// memory, so that many of them cost no allocations.
struct Backlog {
    struct Entry {
        enum Content {
            /// The next so many bytes of the common memory.
            case small(count: Int)
            case large([UInt8])
            /// A line of the Node dialect, which has been read to know what it is.
            case document(JSONDocument, count: Int)
            /// A message that was lost, and why.
            case failure(ChannelError)
        }

        let kind: FrameKind
        let content: Content
        let description: MessageDescription?
        let handles: SharedDescriptors?
        /// What it takes of the credit.
        let cost: UInt64
    }

    private static let smallSize = 16 * 1024

    private var entries = Deque<Entry>()
    private var bytes: [UInt8] = []
    private var start = 0
    /// How much memory the entries hold, about.
    private(set) var size = 0
    /// How many handles they have.
    private(set) var handleCount = 0

    var isEmpty: Bool { entries.isEmpty }
    /// How much common memory there is, spent or not.
    var commonCount: Int { bytes.count }

    mutating func append(
        _ kind: FrameKind, _ body: consuming MessageBody, _ description: MessageDescription?,
        _ handles: SharedDescriptors?, cost: UInt64
    ) {
        let count = body.count
        let content: Entry.Content
        if count <= Self.smallSize {
            removeSpent()
            body.withBytes { bytes.append(contentsOf: $0) }
            content = .small(count: count)
        } else {
            content = .large(body.bytes())
        }
        append(Entry(kind: kind, content: content, description: description, handles: handles, cost: cost), count)
    }

    mutating func append(_ document: JSONDocument, _ count: Int, _ handles: SharedDescriptors?) {
        let content = Entry.Content.document(document, count: count)
        append(Entry(kind: .message, content: content, description: nil, handles: handles, cost: 0), count)
    }

    mutating func append(_ error: ChannelError, cost: UInt64 = 0) {
        // Small, and so may be the line that it was: one who sends nothing else must not fill the memory.
        let entry = Entry(kind: .message, content: .failure(error), description: nil, handles: nil, cost: cost)
        append(entry, 768)
    }

    private mutating func append(_ entry: Entry, _ count: Int) {
        entries.append(entry)
        handleCount += entry.handles?.count ?? 0
        size += Self.size(of: entry, count)
    }

    private static func size(of entry: Entry, _ count: Int) -> Int {
        256 + count + Cost.handle * (entry.handles?.count ?? 0)
    }

    /// Takes the first out, and calls the body with it and its bytes.
    mutating func popFirst<Result>(
        _ read: (Entry, consuming MessageBody) -> Result
    ) -> Result? {
        guard let entry = entries.popFirst() else { return nil }
        handleCount -= entry.handles?.count ?? 0
        switch entry.content {
        case .failure:
            size -= Self.size(of: entry, 768)
            return read(entry, .owned([]))
        case .document(_, let count):
            size -= Self.size(of: entry, count)
            return read(entry, .owned([]))
        case .large(let memory):
            size -= Self.size(of: entry, memory.count)
            return read(entry, .owned(memory))
        case .small(let count):
            size -= Self.size(of: entry, count)
            let range = start..<start + count
            start = range.upperBound
            return bytes.withUnsafeBytes { read(entry, .borrowed(UnsafeRawBufferPointer(rebasing: $0[range]))) }
        }
    }

    private mutating func removeSpent() {
        if start == bytes.count {
            // Much memory is not kept for what is usually a little.
            bytes.removeAll(keepingCapacity: bytes.capacity <= 256 * 1024)
        } else if start >= max(Self.smallSize, bytes.count / 2) {
            // A backlog that is never empty would grow for ever. What is moved is no more than what is removed.
            bytes.removeSubrange(..<start)
        } else {
            return
        }
        start = 0
    }
}
