/// A whole message or control frame, its fragments put together.
package struct InboundFrame {
    package enum Body {
        /// Lies in the input; valid until the input is.
        case borrowed(UnsafeRawBufferPointer)
        case owned([UInt8])
    }

    package let kind: FrameKind
    package let handleCount: Int
    /// Where in the stream its (first) header begins, which is where its handles ride.
    package let position: UInt64
    package let body: Body

    package func withBytes<Result, Failure>(
        _ read: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch body {
        case .borrowed(let bytes):
            return try read(bytes)
        case .owned(let bytes):
            return try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
                try read(UnsafeRawBufferPointer(buffer))
            }
        }
    }

    /// The memory of a body that nobody needs any more; nil where it lies in the input.
    package consuming func spentMemory() -> [UInt8]? {
        switch body {
        case .borrowed: nil
        case .owned(let bytes): bytes
        }
    }

    /// The body as an array; copies only what is borrowed.
    package consuming func bytes() -> [UInt8] {
        switch body {
        case .borrowed(let bytes): Array(bytes)
        case .owned(let bytes): bytes
        }
    }
}

/// Cuts a stream of bytes into frames and puts fragments together; the bytes may come in any portions.
///
/// A frame that lies whole in the input is passed on where it lies. Otherwise its body is gathered; a length that has
/// been checked against the limit reserves a little memory, and the rest is reserved as the bytes come.
package struct FrameDecoder {
    /// The longest body of a hello or an abort.
    package static let controlLimit = 64 * 1024

    /// What a header alone reserves at most: as much as the fragments that this package sends have.
    static let reservedCount = FrameEncoder.fragmentSize

    /// Memory that is larger than this is not kept for the next message. Room for a message of two fragments, whose
    /// memory has grown by doubling.
    static let keptCapacity = 4 << 20

    /// The longest message, all its fragments together, in bytes.
    package var messageLimit: Int

    /// How many bytes have been taken so far.
    package private(set) var position: UInt64 = 0
    private var header = HeaderBuffer()
    /// Where the header that came last, or is coming, begins.
    private var headerPosition: UInt64 = 0
    /// The frame whose body is being gathered, and how much of it is still to come.
    private var current: FrameHeader?
    private var missing = 0
    /// The first header of a message of which more fragments are to come, and where that begins.
    private var unfinished: (header: FrameHeader, position: UInt64)?
    private var messageBody: [UInt8] = []
    private var controlBody: [UInt8] = []
    /// Memory of a message before, to gather the next in: fresh memory of such a size costs more than what is written
    /// to it. Lent by the owner.
    package var spare: [UInt8] = []
    private var hasHello = false
    /// The first bytes of the stream, until the hello has come: what they say where it is none.
    private var opening: [UInt8] = []

    package init(messageLimit: Int) {
        self.messageLimit = messageLimit
    }

    /// Takes bytes from the front of the input until a message is complete; nil when the input is used up.
    package mutating func next(from input: inout UnsafeRawBufferPointer) throws(WireError) -> InboundFrame? {
        let end = position + UInt64(input.count)
        if !hasHello { opening += input.prefix(Self.openingSize - opening.count) }
        defer { position = end - UInt64(input.count) }
        while true {
            if current == nil {
                if header.isEmpty { headerPosition = end - UInt64(input.count) }
                try beginFrame(from: &input)
            }
            guard let frame = current else { return nil }
            let isAlone = !frame.hasMore && (unfinished == nil || frame.kind.isControl)
            if isAlone, missing == frame.bodyCount, input.count >= missing {
                current = nil
                return InboundFrame(
                    kind: frame.kind, handleCount: Int(frame.handleCount), position: headerPosition,
                    body: .borrowed(input.removePrefix(missing)))
            }
            gather(frame, from: &input)
            if missing > 0 { return nil }
            current = nil
            if let whole = finish(frame) { return whole }
        }
    }

    /// The length of the body of a hello that begins here; nil where something else does, or where it is too long.
    package static func helloBodyCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var buffer = HeaderBuffer()
        var input = bytes
        buffer.fill(from: &input)
        guard let length = buffer.length, length >= FrameHeader.countedSize, let header = try? buffer.take(),
            header.kind == .hello, header.bodyCount <= controlLimit
        else { return nil }
        return header.bodyCount
    }

    /// Where a message that is not complete begins, if it has handles or may turn out to: all other handles that came
    /// with the bytes so far should have been taken.
    package var openPosition: UInt64? {
        if let unfinished { return unfinished.header.handleCount > 0 ? unfinished.position : nil }
        if let current { return current.handleCount > 0 ? headerPosition : nil }
        return header.isEmpty ? nil : headerPosition
    }

    /// Says whether the stream may end here.
    package func endOfStream() throws(WireError) {
        if !header.isEmpty || current != nil || unfinished != nil { throw .truncated }
    }

    // MARK: The opening

    /// How much is kept of the first bytes.
    private static let openingSize = 16

    /// The first bytes of the stream, 16 at most, where they can't be the beginning of a hello: the peer does not speak
    /// this protocol, whatever the error is that they were refused with.
    package var foreignOpening: [UInt8]? {
        guard !hasHello, let first = opening.first else { return nil }
        // A length that a hello may have begins with a zero, and the kind follows the length.
        let isHello = first == 0 && (opening.count <= 4 || opening[4] == FrameKind.hello.rawValue)
        return isHello ? nil : opening
    }

    // MARK: Headers

    private mutating func beginFrame(from input: inout UnsafeRawBufferPointer) throws(WireError) {
        header.fill(from: &input)
        try checkLength()
        guard let frame = try header.take() else { return }
        try check(frame)
        current = frame
        missing = frame.bodyCount
    }

    /// What the first four bytes tell is not left until the others have come.
    private func checkLength() throws(WireError) {
        guard let length = header.length else { return }
        if length < FrameHeader.countedSize { throw .lengthTooSmall(length) }
        let count = Int(length) - FrameHeader.countedSize
        if count > max(messageLimit, Self.controlLimit) {
            throw .tooLong(length: UInt64(count), limit: messageLimit)
        }
    }

    private mutating func check(_ frame: FrameHeader) throws(WireError) {
        if frame.kind == .hello {
            if hasHello { throw .repeatedHello }
            hasHello = true
            opening = []
        } else if !hasHello {
            throw .noHello(frame.kind)
        }
        if frame.kind.isControl {
            if frame.hasMore { throw .fragmentedControl(frame.kind) }
            try checkLength(frame.bodyCount, limit: Self.controlLimit)
        } else {
            if let unfinished, unfinished.header.kind != frame.kind { throw .interruptedMessage(frame.kind) }
            try checkLength(messageBody.count + frame.bodyCount, limit: messageLimit)
        }
        // Handles ride with the first fragment of a message, and with nothing else.
        let mostHandles = frame.kind.isControl || unfinished != nil ? 0 : FrameHeader.maximumHandleCount
        if frame.handleCount > mostHandles {
            throw .handlesDoNotMatch(announced: Int(frame.handleCount), received: 0)
        }
    }

    private func checkLength(_ length: Int, limit: Int) throws(WireError) {
        if length > limit { throw .tooLong(length: UInt64(length), limit: limit) }
    }

    // MARK: Bodies

    private mutating func gather(_ frame: FrameHeader, from input: inout UnsafeRawBufferPointer) {
        let portion = input.removePrefix(min(missing, input.count))
        missing -= portion.count
        if frame.kind.isControl {
            controlBody.append(contentsOf: portion)
        } else {
            // Only for the first frame: growing to the exact size for each fragment would copy all of them each time.
            if messageBody.isEmpty {
                // Bytes are given away with their memory, which has to be of their size.
                if frame.kind == .message { swap(&messageBody, &spare) }
                messageBody.reserveCapacity(min(frame.bodyCount, Self.reservedCount))
            }
            messageBody.append(contentsOf: portion)
        }
    }

    /// The message that this frame completes, if it does.
    private mutating func finish(_ frame: FrameHeader) -> InboundFrame? {
        if frame.kind.isControl {
            defer { controlBody = [] }
            return InboundFrame(kind: frame.kind, handleCount: 0, position: headerPosition, body: .owned(controlBody))
        }
        let first = unfinished ?? (frame, headerPosition)
        if frame.hasMore {
            unfinished = first
            return nil
        }
        unfinished = nil
        defer { messageBody = [] }
        return InboundFrame(
            kind: frame.kind, handleCount: Int(first.header.handleCount), position: first.position,
            body: .owned(messageBody))
    }
}

extension UnsafeRawBufferPointer {
    /// Cuts `count` bytes, which are there, off the front.
    fileprivate mutating func removePrefix(_ count: Int) -> UnsafeRawBufferPointer {
        defer { self = UnsafeRawBufferPointer(rebasing: self[count...]) }
        return UnsafeRawBufferPointer(rebasing: self[..<count])
    }
}

/// The bytes of a header that have come so far.
private struct HeaderBuffer {
    private var value: UInt64 = 0
    private var count = 0

    var isEmpty: Bool { count == 0 }

    /// The length, as soon as its four bytes are there.
    var length: UInt32? {
        count < 4 ? nil : UInt32(truncatingIfNeeded: value >> (8 * UInt64(count - 4)))
    }

    mutating func fill(from input: inout UnsafeRawBufferPointer) {
        if count == 0, input.count >= FrameHeader.size {
            value = UInt64(bigEndian: input.loadUnaligned(as: UInt64.self))
            count = FrameHeader.size
            _ = input.removePrefix(FrameHeader.size)
            return
        }
        while count < FrameHeader.size, let byte = input.first {
            value = value << 8 | UInt64(byte)
            count += 1
            _ = input.removePrefix(1)
        }
    }

    /// The header, if it is whole; the buffer is empty then.
    mutating func take() throws(WireError) -> FrameHeader? {
        guard count == FrameHeader.size else { return nil }
        count = 0
        let kind = UInt8(truncatingIfNeeded: value >> 24)
        let flags = UInt8(truncatingIfNeeded: value >> 16)
        guard let known = FrameKind(rawValue: kind) else { throw .unknownKind(kind) }
        if flags & ~FrameHeader.moreFlag != 0 { throw .unknownFlags(flags) }
        return FrameHeader(
            kind: known, hasMore: flags & FrameHeader.moreFlag != 0,
            handleCount: UInt16(truncatingIfNeeded: value),
            bodyCount: Int(value >> 32) - FrameHeader.countedSize)
    }
}
