internal import Reactor
internal import Wire

/// Handles that ride with the first byte of a message; closed when it has been written, or thrown away.
final class OutboundHandles: Sendable {
    let list: DescriptorList

    let count: Int

    init(_ list: consuming DescriptorList) {
        count = list.count
        self.list = list
    }
}

/// Bytes to be written, of which `range` is still to go.
struct Chunk {
    /// Small messages are put together up to this size.
    static let joinedSize = 64 * 1024

    enum Content: Equatable {
        /// The first frame of this side.
        case hello
        /// Whole data frames, as many as there are.
        case frames
        /// Whole lines of the Node dialect.
        case lines
        /// The header of a frame whose body is the next chunk.
        case header
        /// The body of a frame, whether it is the last of its message.
        case body(isLast: Bool)
        /// Whole control frames, or a line of Node's own: no message, and nobody waits for it.
        case control
        /// The frame that ends this side's direction.
        case end
    }

    var bytes: [UInt8]
    var range: Range<Int>
    var content: Content
    /// What rides with its first byte, which then begins a message.
    var handles: OutboundHandles?
    /// When it was accepted; see ``WriteProgress``.
    var epoch: UInt64 = 0
    /// Whether it was cut when its id had its turn.
    var isCut = false

    init(
        _ bytes: [UInt8], _ content: Content, range: Range<Int>? = nil, handles: OutboundHandles? = nil,
        epoch: UInt64 = 0, isCut: Bool = false
    ) {
        self.bytes = bytes
        self.range = range ?? 0..<bytes.count
        self.content = content
        self.handles = handles
        self.epoch = epoch
        self.isCut = isCut
    }

    var count: Int { range.count }

    /// Whether a part of it has been written. Of a body that says nothing: it need not begin where its memory does.
    var isBegun: Bool {
        switch content {
        case .body: false
        case .hello, .frames, .lines, .header, .control, .end: range.lowerBound > 0
        }
    }

    /// Whether somebody may wait for it.
    var isCounted: Bool { content != .control && content != .end && content != .hello }

    /// How many messages need what is still to go of it, and nothing after it.
    var messageCount: Int {
        switch content {
        case .frames: FrameEncoder.messageCount(in: bytes, range)
        case .lines: NodeEncoder.messageCount(in: bytes, behind: range.lowerBound)
        case .body(let isLast): isLast ? 1 : 0
        case .hello, .header, .control, .end: 0
        }
    }

    /// Whether so many bytes of the same kind may be put behind it, in its memory.
    func takes(_ count: Int, _ content: Content, epoch: UInt64) -> Bool {
        self.content == content && handles == nil && self.epoch == epoch && !isBegun && !isCut
            && range.upperBound == bytes.count && bytes.count + count <= Self.joinedSize
    }

    mutating func append(_ more: [UInt8]) {
        bytes.append(contentsOf: more)
        range = range.lowerBound..<bytes.count
    }

    /// Leaves only what belongs to the frame that has been begun. Nil where none has been.
    func onlyBegun() -> Chunk? {
        guard isBegun else { return nil }
        if content == .lines { return nil }
        let border = FrameEncoder.frameBorder(in: bytes, from: range.lowerBound)
        if border == range.lowerBound { return nil }
        var chunk = self
        chunk.range = range.lowerBound..<border
        return chunk
    }
}

/// What one system call shall write.
struct WriteBatch {
    var first: Chunk
    var rest: [Chunk] = []

    var count: Int { rest.isEmpty ? first.count : rest.reduce(first.count) { $0 + $1.count } }

    /// Gives the first chunk's memory away, once it has been written.
    mutating func takeFirstBytes() -> [UInt8] {
        var bytes: [UInt8] = []
        swap(&bytes, &first.bytes)
        return bytes
    }
}
