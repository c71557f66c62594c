/// What two processes speak on their channel.
package enum Dialect: Sendable, Hashable {
    /// Frames: `Protocols/native-v1.md`.
    case native
    /// Lines of JSON, as stock Node.js speaks them: `Protocols/node.md`.
    case node
}

/// Cuts the stream of either dialect into messages.
package struct StreamDecoder {
    private let dialect: Dialect
    private var frames: FrameDecoder
    private var lines: LineDecoder

    package init(dialect: Dialect, messageLimit: Int) {
        self.dialect = dialect
        frames = FrameDecoder(messageLimit: messageLimit)
        lines = LineDecoder(messageLimit: messageLimit)
    }

    package var messageLimit: Int {
        get { frames.messageLimit }
        set {
            frames.messageLimit = newValue
            lines.messageLimit = newValue
        }
    }

    /// Memory to gather a long message in, where there is some. The owner lends it.
    package var spare: [UInt8] {
        get { dialect == .native ? frames.spare : lines.spare }
        set { if dialect == .native { frames.spare = newValue } else { lines.spare = newValue } }
    }

    /// Takes back the memory of a message that has been dealt with, unless what is there is larger.
    package mutating func recycle(_ memory: consuming [UInt8]) {
        guard memory.capacity <= FrameDecoder.keptCapacity, memory.capacity > spare.capacity else { return }
        memory.removeAll(keepingCapacity: true)
        spare = memory
    }

    /// Takes bytes from the front of the input until a message is complete; nil when the input is used up.
    package mutating func next(from input: inout UnsafeRawBufferPointer) throws(WireError) -> InboundFrame? {
        switch dialect {
        case .native: try frames.next(from: &input)
        case .node: try lines.next(from: &input)
        }
    }

    /// How many bytes have been taken so far.
    package var position: UInt64 { dialect == .native ? frames.position : lines.position }

    /// Where a message that is not complete begins, if it has handles or may turn out to.
    package var openPosition: UInt64? { dialect == .native ? frames.openPosition : lines.openPosition }

    /// The first bytes of a stream that is none of frames; see ``FrameDecoder/foreignOpening``. Nil for lines.
    package var foreignOpening: [UInt8]? { dialect == .native ? frames.foreignOpening : nil }

    /// Says whether the stream may end here.
    package func endOfStream() throws(WireError) {
        switch dialect {
        case .native: try frames.endOfStream()
        case .node: try lines.endOfStream()
        }
    }
}
