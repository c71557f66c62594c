import Glibc
import JSONCodec
import Reactor
import Wire

@testable import Messaging

/// A stream that is read as a socket would give it out: with handles where a header announces some.
struct ExampleStream {
    let bytes: [UInt8]
    /// Where headers begin, as far as their lengths can be believed.
    private(set) var headers: [Int] = []
    /// Where those begin that announce handles, and how many.
    private(set) var announcing: [(position: Int, count: Int)] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var position = 0
        while position + FrameHeader.size <= bytes.count {
            let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            guard 12...262_156 ~= length else { break }
            headers.append(position)
            let count = Int(bytes[position + 6]) << 8 | Int(bytes[position + 7])
            if 1...FrameHeader.maximumHandleCount ~= count { announcing.append((position, count)) }
            position += 4 + length
        }
    }

    /// Every place but the ends. In the middle of a long body, where one byte is like the other, and of very many
    /// frames, only some.
    var places: [Int] {
        if bytes.count < 20_000 { return Array(1..<max(1, bytes.count)) }
        var places = Set(stride(from: 4999, to: bytes.count, by: 4999))
        for border in headers.prefix(40) + headers.suffix(10) + [bytes.count] {
            places.formUnion(max(1, border - 40)..<min(border + 40, bytes.count))
        }
        return places.sorted()
    }

    /// What comes with each read, when the bytes come in portions that end at `cuts`, which ascend. No read goes on
    /// into a second message with handles.
    func reads(_ cuts: [Int]) -> [(range: Range<Int>, handleCount: Int?)] {
        var reads: [(range: Range<Int>, handleCount: Int?)] = []
        var start = 0
        for end in cuts + [bytes.count] {
            let inside = announcing.filter { start..<end ~= $0.position }
            for (index, header) in inside.enumerated() {
                let next = index + 1 < inside.count ? inside[index + 1].position : end
                reads.append((start..<next, header.count))
                start = next
            }
            if start < end { reads.append((start..<end, nil)) }
            start = end
        }
        return reads
    }
}

/// What a side makes of a stream. Unless it is told otherwise it takes no messages, and it grants no credit:
/// `Protocols/vectors/README.md`.
struct Reading: Equatable {
    /// Who reads.
    struct Side {
        /// Whether its own conversations are the odd ones.
        var isMaker = true
        var messageLimit = 64 << 20
        var window = 262_144
        var ids = 256
        /// How many conversations it opens, and ends in its own direction, when it has read the hello.
        var opened = 0
        /// Whether somebody takes plain messages.
        var hasConsumer = false
    }

    enum Content: Equatable {
        case bytes(Bytes)
        /// What the text says of a message that is given to somebody.
        case json(JSON)
        case unreadable(String)
        case hello(Hello)
        case abort(Abort)
    }

    struct Frame: Equatable {
        var kind: FrameKind
        var id: UInt64 = 0
        var content: Content
        var isOpen = false
        var description: MessageDescription?
        var handleCount = 0
    }

    var frames: [Frame] = []
    /// What the peer is told when this side gives the channel up.
    var error: WireError?
    /// What the owner of the channel is told of it, or of the end of the stream.
    var reported: [WireError] = []
    /// What it is told of single messages.
    var lost: [String] = []

    /// - Parameters:
    ///   - settles: the bytes that were lent are given back after each step, as by somebody who reads from within a
    ///     handler.
    ///   - arrival: what comes where so many handles are announced.
    init(
        _ stream: ExampleStream, by side: Side, cutAt cuts: [Int] = [], settles: Bool = false,
        arrival: (Int) -> ArrivedHandles? = ArrivedHandles.real
    ) {
        var reader = SideReader(side, settles: settles)
        for (range, handleCount) in stream.reads(cuts) {
            reader.read(stream.bytes[range], handleCount.flatMap(arrival))
        }
        reader.end()
        self = reader.reading
    }

    fileprivate init() {}
}

/// Bytes that are compared fast, without optimization too.
struct Bytes: Equatable, CustomStringConvertible {
    let array: [UInt8]

    init(_ array: [UInt8]) {
        self.array = array
    }

    static func == (one: Bytes, other: Bytes) -> Bool {
        one.array.count == other.array.count && memcmp(one.array, other.array, one.array.count) == 0
    }

    var description: String {
        array.count <= 1000 ? "\(array)" : "\(array.count) bytes, \(array.prefix(20)) and so on"
    }
}

extension ArrivedHandles {
    private static let null = open("/dev/null", O_RDONLY | O_CLOEXEC)

    /// Copies of a descriptor, as high numbers, so that they do not take those that other tests look at.
    static func real(_ count: Int) -> ArrivedHandles {
        let numbers = (0..<count).map { _ in fcntl(null, F_DUPFD_CLOEXEC, 400) }
        precondition(!numbers.contains(-1), "no descriptors are left")
        return ArrivedHandles(handles: SharedDescriptors(DescriptorList(owning: numbers)), isTruncated: false)
    }
}

/// The two values of a channel, without its socket. What it does with steps is what `Channel` does.
struct SideReader {
    private(set) var inbound: InboundQueue
    private(set) var outbound: OutboundQueue
    private(set) var reading = Reading()
    private let side: Reading.Side
    private let settles: Bool
    private let takesNotes: Bool
    private var ids: [ConversationKey: UInt64] = [:]

    /// - Parameter takesNotes: what is read is written down; otherwise plain messages stay where they are kept.
    init(_ side: Reading.Side, settles: Bool = false, takesNotes: Bool = true) {
        self.side = side
        self.settles = settles
        self.takesNotes = takesNotes
        // The same window for plain messages: credit is told where the two differ.
        let limits = ChannelLimits(
            messageLimit: side.messageLimit, window: side.window, mainWindow: side.window, ids: side.ids)
        inbound = InboundQueue(dialect: .native, limits: limits)
        inbound.hasConsumer = side.hasConsumer
        // As short messages are where the bytes are kept until somebody has read them; as long ones otherwise. Where
        // the memory is looked at, the size stays: what is reserved to be read directly is no more than that.
        if takesNotes, !settles { inbound.directSize = 0 }
        outbound = OutboundQueue(
            highWaterMark: 1 << 20, limit: 1 << 20, isMaker: side.isMaker, peerIDs: side.ids)
    }

    mutating func read(_ portion: ArraySlice<UInt8>, _ handles: ArrivedHandles?) {
        if inbound.isStreamEnded { return }
        // Memory of its own, of exactly this size and only for this time: a sanitizer sees who reads past it, or keeps
        // what was lent.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: portion.count, alignment: 1)
        defer { memory.deallocate() }
        memory.copyBytes(from: portion)
        inbound.beginTurn()
        inbound.read(UnsafeRawBufferPointer(memory), handles)
        takeSteps()
        precondition(!inbound.hasInput, "it waits for more and has not used what it has")
    }

    mutating func end() {
        inbound.streamEnded()
        takeSteps()
    }

    private mutating func takeSteps() {
        while true {
            let step = inbound.next()
            if settles { inbound.settle() }
            if takesNotes { takeBacklog() }
            switch step {
            case .read, .wait, .yield: return
            default: perform(step)
            }
        }
    }

    /// Plain messages are noted when they are whole, as what they were on the wire. Nothing is told to have been taken.
    private mutating func takeBacklog() {
        while let frame = inbound.backlog.popFirst({ entry, body in Self.frame(entry, body.bytes()) }) { add(frame) }
    }

    private static func frame(_ entry: Backlog.Entry, _ body: [UInt8]) -> Reading.Frame {
        if case .failure(let error) = entry.content {
            return Reading.Frame(kind: entry.kind, content: .unreadable("\(error)"))
        }
        return Reading.Frame(
            kind: entry.kind, content: .bytes(Bytes(body)), description: entry.description,
            handleCount: entry.handles?.count ?? 0)
    }

    private mutating func perform(_ step: InboundQueue.Step) {
        switch step {
        case .lookUp(let header): lookUp(header)
        case .conversation(let key, let event):
            _ = outbound.received(event, in: key)
            note(event, ids[key] ?? 0)
        case .hello(let hello):
            add(.hello, .hello(hello))
            _ = outbound.peerAnnounced(hello.limits)
            openConversations()
        case .credit(let id, let limit, let highestID):
            add(.credit, Self.numbers(limit, highestID), id: id)
            _ = outbound.credited(id, limit: limit, highestID: highestID)
        // No frame to its reader: it is of an id that has ended.
        case .allowed(let highestID): _ = outbound.allowed(highestID: highestID)
        case .ping(let number): add(.ping, Self.numbers(number))
        case .pong(let number): add(.pong, Self.numbers(number))
        case .grant(let id, _):
            // Nobody waits for what is gathered here, so what would be granted to finish it is taken back.
            let offset = inbound.lanes[id]?.credit.offset ?? 0
            inbound.lanes[id]?.credit = ReceivingCredit(announced: side.window, window: side.window)
            inbound.lanes[id]?.credit.receive(offset)
        case .peerEnded:
            if !inbound.isStreamEnded { add(.end, Self.numbers()) }
            _ = outbound.peerEnded()
        case .abort(let error): reading.error = error
        case .fail(.aborted(let abort)): add(.abort, .abort(abort))
        case .fail(.protocolViolation(let error)), .fail(.notSpoken(_, let error)): reading.reported.append(error)
        case .fail(let error): lose(error)
        case .deliver(let message): add(message)
        case .answer, .acknowledged, .refused: preconditionFailure("of the other dialect: \(step)")
        case .release, .peerGone, .exhausted, .delivered, .read, .yield, .wait: break
        }
    }

    /// As `Channel.lookUp`.
    private mutating func lookUp(_ header: FrameHeader) {
        do throws(WireError) {
            inbound.forget(outbound.conversations.takeEnded())
            let (verdict, key) = try outbound.receive(header)
            if let key { ids[key] = header.id }
            try inbound.found(verdict, key)
        } catch {
            perform(inbound.violated(error))
        }
    }

    private mutating func openConversations() {
        for _ in 0..<side.opened {
            let message = OutboundMessage(
                kind: .bytes, bytes: FrameEncoder.emptyOpening(0), flags: .meta)
            guard (try? outbound.open(message)) != nil else { preconditionFailure("no room to open a conversation") }
        }
        while let batch = outbound.takeBatch() { _ = outbound.wrote(batch.count, of: batch, isBlocked: false) }
    }

    private mutating func note(_ event: ConversationEvent, _ id: UInt64) {
        switch event {
        case .message(let message, _, let isLast, _): add(message, id: id, isOpen: !isLast)
        case .lost(.badPayload(let error), _, let isLast):
            add(Reading.Frame(kind: .message, id: id, content: .unreadable("\(error.code)"), isOpen: !isLast))
        case .lost(let error, _, _): lose(error)
        case .ended: add(.end, Self.numbers(), id: id)
        case .failed(let body): add(.failure, .bytes(Bytes(body)), id: id)
        case .cancelled: add(.cancel, Self.numbers(), id: id)
        case .abandoned: break
        }
    }

    private mutating func add(_ message: InboundMessage, id: UInt64 = 0, isOpen: Bool = false) {
        let (kind, content): (FrameKind, Reading.Content) =
            switch message.content {
            case .json(let document): (.message, .json(document.json))
            case .bytes(let bytes): (.bytes, .bytes(Bytes(bytes)))
            }
        add(
            Reading.Frame(
                kind: kind, id: id, content: content, isOpen: isOpen, description: message.description,
                handleCount: message.handles?.count ?? 0))
    }

    private mutating func add(_ kind: FrameKind, _ content: Reading.Content, id: UInt64 = 0) {
        add(Reading.Frame(kind: kind, id: id, content: content))
    }

    private mutating func add(_ frame: Reading.Frame) {
        if takesNotes { reading.frames.append(frame) }
    }

    private mutating func lose(_ error: ChannelError) {
        if takesNotes { reading.lost.append("\(error)") }
    }

    private static func numbers(_ numbers: UInt64...) -> Reading.Content {
        .bytes(Bytes(numbers.flatMap { number in withUnsafeBytes(of: number.bigEndian) { Array($0) } }))
    }
}

extension InboundQueue {
    /// A read that gives these bytes: to the message that they belong to, where the queue wants that.
    mutating func read(_ bytes: UnsafeRawBufferPointer, _ arrived: ArrivedHandles?) {
        var direct = 0
        if readsDirectly {
            direct =
                readDirectly { space in
                    space.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(space.count)))
                    return bytes.count
                }.direct
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[direct...])
        received(rest, direct: direct, arrived: arrived, filledBuffer: true)
    }
}
