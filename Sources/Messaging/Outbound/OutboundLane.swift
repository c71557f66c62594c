internal import DequeModule
internal import Wire

/// The messages of one id that are not cut into frames yet, in order, and the credit for them.
struct OutboundLane {
    fileprivate enum Entry {
        case message(OutboundMessage, epoch: UInt64)
        /// Small plain messages, a whole frame each.
        case frames(Chunk)

        /// As the peer's limit has it. What is small is never too long.
        var length: Int { if case .message(let message, _) = self { message.messageCount } else { 0 } }
    }

    /// Nil before the conversation has been opened.
    var id: UInt64?
    var credit: SendingCredit
    /// Whether it stands among those who take turns, or waits to be opened.
    var isQueued = false
    private var entries = Deque<Entry>()
    /// How much of the first message's body has been cut.
    private var cutCount = 0

    init(id: UInt64?, credit: SendingCredit) {
        self.id = id
        self.credit = credit
    }

    var isEmpty: Bool { entries.isEmpty }
    /// Whether a part of the first message has been cut.
    var hasBegunFirst: Bool { cutCount > 0 }

    /// Whether the next frame may be sent: control frames cost nothing.
    ///
    /// - Parameter limit: how long a message may be.
    func maySend(messagesUpTo limit: Int) -> Bool {
        switch entries.first {
        case .message(let message, _): (credit.isLeft || message.kind.isControl) && message.messageCount <= limit
        case .frames: credit.isLeft
        case nil: false
        }
    }

    /// Whether this side's last message is among them.
    var hasLast: Bool {
        if case .message(let message, _) = entries.last { !message.flags.contains(.open) } else { false }
    }

    mutating func append(_ message: consuming OutboundMessage, epoch: UInt64) {
        entries.append(.message(message, epoch: epoch))
    }

    /// The same for one that is a frame of id 0, and goes together with others where it is small. Returns memory that
    /// can be used again.
    mutating func append(frame message: consuming OutboundMessage, epoch: UInt64) -> [UInt8] {
        let count = message.bytes.count
        if message.handles != nil || count > Chunk.joinedSize / 4 {
            entries.append(.message(message, epoch: epoch))
            return []
        }
        if lastTakes(count, epoch: epoch), case .frames(var chunk) = entries.removeLast() {
            // Taken out, so that nothing is copied.
            chunk.append(message.bytes)
            entries.append(.frames(chunk))
            return message.takeBytes()
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * count)
        bytes.append(contentsOf: message.bytes)
        entries.append(.frames(Chunk(bytes, .frames, epoch: epoch)))
        return message.takeBytes()
    }

    private func lastTakes(_ count: Int, epoch: UInt64) -> Bool {
        if case .frames(let chunk) = entries.last { chunk.takes(count, .frames, epoch: epoch) } else { false }
    }

    // MARK: Cutting

    /// The next that is cut is a message, and not several that are frames already.
    var isMessageNext: Bool { if case .message = entries.first { true } else { false } }

    /// Cuts the next frame of a message, as one chunk or two. The lane has credit and an id.
    mutating func cut(into chunks: inout Deque<Chunk>) -> FrameHeader? {
        guard case .message(var message, let epoch) = entries.popFirst() else { return nil }
        let count = min(message.bodyCount - cutCount, FrameHeader.largestBody)
        let isLast = cutCount + count == message.bodyCount
        let handles = cutCount == 0 ? message.handles : nil
        let beginning: FrameFlags = cutCount == 0 ? message.flags.intersection(.meta) : .none
        let header = FrameHeader(
            kind: message.kind, flags: beginning.union(isLast ? message.flags.intersection(.open) : .more),
            handleCount: UInt16(handles?.count ?? 0), id: id ?? 0, bodyCount: count)
        let start = message.bodyStart + cutCount
        cutCount = isLast ? 0 : cutCount + count
        credit.spend(message.kind.isControl ? 0 : Cost.of(header))
        if isLast, start == FrameHeader.size {
            // Whole, with room for its header.
            header.write(to: &message.bytes, at: 0)
            let content: Chunk.Content = message.kind.isControl ? .control : .frames
            chunks.append(Chunk(message.bytes, content, handles: handles, epoch: epoch, isCut: true))
            return header
        }
        chunks.append(Chunk(header.bytes, .header, handles: handles, epoch: epoch, isCut: true))
        let range = start..<start + count
        chunks.append(Chunk(message.bytes, .body(isLast: isLast), range: range, epoch: epoch, isCut: true))
        if !isLast { entries.prepend(.message(message, epoch: epoch)) }
        return header
    }

    /// Takes as many of several frames as there is credit for. Returns how many bytes they are.
    mutating func cutFrames(into chunks: inout Deque<Chunk>) -> Int {
        guard case .frames(var chunk) = entries.popFirst() else { return 0 }
        var range = chunk.range.lowerBound..<chunk.range.lowerBound
        while range.upperBound < chunk.range.upperBound, credit.isLeft {
            let count = FrameEncoder.frameCount(in: chunk.bytes, at: range.upperBound)
            credit.spend(Cost.of(bodyCount: count - FrameHeader.size))
            range = range.lowerBound..<range.upperBound + count
        }
        let isWhole = range == chunk.bytes.indices
        let bytes = isWhole ? chunk.bytes : Array(chunk.bytes[range])
        chunks.append(Chunk(bytes, .frames, epoch: chunk.epoch, isCut: true))
        if range.upperBound < chunk.range.upperBound {
            chunk.range = range.upperBound..<chunk.range.upperBound
            entries.prepend(.frames(chunk))
        }
        return range.count
    }

    // MARK: Throwing away

    /// Something that is thrown away.
    struct Removed {
        let messageCount: Int
        /// How long the first of them is, as the peer's limit has it.
        let length: Int
        let handles: OutboundHandles?
        let epoch: UInt64
        /// How many bytes of it had not been cut.
        let count: Int

        fileprivate init(_ entry: Entry, cutCount: Int) {
            switch entry {
            case .message(let message, let epoch):
                messageCount = message.kind.isControl ? 0 : 1
                length = entry.length
                handles = message.handles
                self.epoch = epoch
                count = cutCount > 0 ? message.bodyCount - cutCount : message.queuedCount
            case .frames(let chunk):
                messageCount = chunk.messageCount
                length = entry.length
                handles = nil
                epoch = chunk.epoch
                count = chunk.count
            }
        }
    }

    /// Takes all that has not been cut, to be thrown away.
    mutating func removeAll() -> [Removed] {
        var removed: [Removed] = []
        while !isEmpty { removed.append(removeFirst()) }
        return removed
    }

    /// The same of the first message.
    mutating func removeFirst() -> Removed {
        defer { cutCount = 0 }
        return Removed(entries.removeFirst(), cutCount: cutCount)
    }

    /// The same of all that are too long for the peer. None of them has been begun.
    mutating func remove(longerThan limit: Int) -> [Removed] {
        let tooLong = entries.filter { $0.length > limit }.map { Removed($0, cutCount: 0) }
        entries.removeAll { $0.length > limit }
        return tooLong
    }

    /// The length of one that is too long for the peer.
    func count(longerThan limit: Int) -> Int? {
        entries.lazy.map(\.length).first { $0 > limit }
    }
}
