internal import Reactor
internal import Wire

/// A message of which more is to come.
struct BegunMessage {
    /// Of its first frame.
    let header: FrameHeader
    /// Its handles, or what became of them.
    let handles: Result<SharedDescriptors?, ChannelError>
    var description: MessageDescription?
    var body: [UInt8]
    /// What its frames have cost so far.
    var cost: UInt64
}

/// What has come under one id and is not whole, and what may still come.
struct InboundLane {
    /// Memory for so many times what has come is reserved. What is not used costs nothing but addresses.
    private static let growth = 16

    var credit: ReceivingCredit
    var begun: BegunMessage?
    /// The peer's direction has ended.
    var hasEnded = false
    /// The message that opens the conversation has not come as a whole.
    var isOpening = false

    init(announced: Int, window: Int) {
        credit = ReceivingCredit(announced: announced, window: window)
    }

    /// What comes before this frame allows it, in the order in which `Protocols/native-v1.md` has it.
    func check(_ frame: FrameHeader, messageLimit: Int) throws(WireError) {
        // A failure may follow the last message of a conversation.
        if hasEnded, frame.kind != .failure { throw .afterEnd(frame.id) }
        if let begun {
            if begun.header.kind != frame.kind { throw .interruptedMessage(frame.kind, frame.id) }
            if frame.flags.contains(.meta) { throw .flagsNotAllowed(frame.kind, frame.flags.rawValue) }
            if frame.handleCount > 0 { throw .handlesDoNotMatch(announced: Int(frame.handleCount), received: 0) }
        }
        if !credit.isLeft { throw .overCredit(frame.id) }
        if frame.flags.contains(.meta) { return }
        let count = (begun?.body.count ?? 0) + frame.bodyCount
        if count > messageLimit { throw .messageTooLong(count, limit: messageLimit) }
    }

    /// The same of the frame that ends this direction.
    func checkEnd(_ frame: FrameHeader) throws(WireError) {
        if hasEnded { throw .afterEnd(frame.id) }
        if begun != nil { throw .interruptedMessage(frame.kind, frame.id) }
    }

    /// How many handles the message has that is being gathered.
    var begunHandleCount: Int {
        if case .success(let handles?) = begun?.handles { handles.count } else { 0 }
    }

    /// Whether a message is being gathered, and so much of it has come.
    func gathersAtLeast(_ count: Int) -> Bool {
        if let begun { begun.body.count >= count } else { false }
    }

    /// Has up to so many bytes of the message read to their place. Returns what `read` does, which may be more.
    mutating func readBody<Failure>(
        _ missing: Int, limit: Int, _ read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        reserve(missing, limit: limit)
        var count = 0
        try begun?.body.append(addingCapacity: missing) { span throws(Failure) in
            try span.withUnsafeMutableBufferPointer { buffer, written throws(Failure) in
                count = try read(UnsafeMutableRawBufferPointer(buffer))
                written = min(count, missing)
            }
        }
        return count
    }

    /// Makes room for so many bytes more. What a header announces is not believed: memory is taken as bytes come, in
    /// steps that grow, so that a long message is not copied often.
    mutating func reserve(_ count: Int, limit: Int) {
        guard let body = begun?.body, body.capacity < body.count + count else { return }
        let wanted = max(body.count + count, min(Self.growth * body.count, limit))
        var grown: [UInt8] = []
        grown.reserveCapacity(wanted)
        // Before anything is written there.
        grown.withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { System.adviseLargePages(start, count: wanted) }
        }
        grown.append(contentsOf: body)
        begun?.body = grown
    }
}
