internal import Wire

/// Control frames that wait to be written. What would be said twice is said once.
struct ControlFrames {
    /// The first frame of this side, until it is written.
    private(set) var hello: [UInt8]?
    /// The eight bytes of the latest ping.
    private var pong: UInt64?
    private var ping: UInt64?
    /// By id, up to where it may send.
    private var credits: [UInt64: UInt64] = [:]
    /// The highest id that the peer may open. Every credit frame says it, but only one of id 0 surely arrives: what is
    /// said of another id may come late, and be dropped.
    private var highestID: UInt64 = 0
    private var tellsHighestID = false
    /// What the peer has been told of id 0 before; said again with a new highest id.
    private var mainLimit: UInt64 = 0

    /// Asked with every write.
    private(set) var isEmpty = true

    mutating func hello(_ frame: [UInt8]) {
        hello = frame
        isEmpty = false
    }

    mutating func ping(_ payload: UInt64) {
        ping = payload
        isEmpty = false
    }

    mutating func pong(_ payload: UInt64) {
        pong = payload
        isEmpty = false
    }

    mutating func credit(_ id: UInt64, limit: UInt64) {
        credits[id] = max(credits[id] ?? 0, limit)
        isEmpty = false
        if id == 0 { mainLimit = max(mainLimit, limit) }
    }

    mutating func allowIDs(upTo highest: UInt64) {
        highestID = highest
        tellsHighestID = true
        isEmpty = false
    }

    /// An id has ended: nobody needs credit for it.
    mutating func forget(_ id: UInt64) {
        if credits.removeValue(forKey: id) == nil { return }
        isEmpty = hello == nil && pong == nil && ping == nil && credits.isEmpty && !tellsHighestID
    }

    /// Takes the first frame of this side out, which goes before all others.
    mutating func takeHello() -> [UInt8]? {
        defer { hello = nil }
        return hello
    }

    /// All others as frames, in the order in which they are written.
    mutating func take() -> [UInt8] {
        var bytes: [UInt8] = []
        if let pong { bytes += FrameEncoder.control(.pong, pong) }
        if let ping { bytes += FrameEncoder.control(.ping, ping) }
        if tellsHighestID { credits[0] = mainLimit }
        for (id, limit) in credits.sorted(by: { $0.key < $1.key }) {
            bytes += FrameEncoder.control(.credit, id: id, limit, highestID)
        }
        (pong, ping) = (nil, nil)
        credits = [:]
        tellsHighestID = false
        isEmpty = hello == nil
        return bytes
    }
}
