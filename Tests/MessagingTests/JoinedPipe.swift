import Wire

/// One direction of a stream, in memory, with room for so many bytes. It knows what has been written into it.
final class JoinedPipe {
    let capacity: Int
    private var bytes: [UInt8] = []
    private var start = 0
    var hasWriter = true
    private(set) var hasReader = true
    /// It was closed by its reader with something in it.
    private(set) var wasLeftUnread = false
    private(set) var written = WrittenFrames()

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { bytes.count - start }
    var room: Int { max(0, capacity - count) }
    var isAtEnd: Bool { count == 0 && !hasWriter }

    func write(_ more: [UInt8]) {
        written.read(more)
        if start == bytes.count { removeAll() }
        bytes += more
    }

    /// Bytes that are none of the writer's.
    func inject(_ garbage: [UInt8]) {
        bytes += garbage
    }

    func read(atMost limit: Int) -> [UInt8] {
        let end = min(bytes.count, start + limit)
        defer { start = end }
        return Array(bytes[start..<end])
    }

    func closeReader() {
        wasLeftUnread = count > 0
        hasReader = false
        removeAll()
    }

    private func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        start = 0
    }
}

/// What has been written of frames: it must be whole frames, one after the other.
struct WrittenFrames {
    private var reader = FrameReader()
    private var header: FrameHeader?
    /// How many messages of id 0 are whole.
    private(set) var mainCount = 0
    private(set) var frameCount = 0
    private(set) var hasEnded = false
    private(set) var mistake: String?

    mutating func read(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var input = buffer
            do throws(WireError) {
                while true {
                    if let header {
                        _ = reader.body(from: &input)
                        if reader.missing > 0 { return }
                        count(header)
                        self.header = nil
                    }
                    guard let next = try reader.nextHeader(from: &input) else { return }
                    header = next
                }
            } catch {
                mistake = "\(error)"
            }
        }
    }

    /// Between two frames.
    var isAtBorder: Bool { header == nil && reader.openPosition == nil }

    private mutating func count(_ header: FrameHeader) {
        frameCount += 1
        if hasEnded, !header.kind.isControl { mistake = "data after the end" }
        guard header.id == 0 else { return }
        switch header.kind {
        case .end: hasEnded = true
        case .message, .bytes: if !header.hasMore { mainCount += 1 }
        default: break
        }
    }
}
