internal import Wire

/// A conversation, before and after it has an id: own ones get it when their first frame is written.
package struct ConversationKey: Hashable, Sendable {
    /// Whether this side opens it.
    let isOwn: Bool
    /// The how manieth that this side opens; of the peer's the id.
    let number: UInt64

    static func peer(_ id: UInt64) -> ConversationKey { ConversationKey(isOwn: false, number: id) }
}

/// The ids of a channel: which have been opened, by whom, and which have ended. A value; the rules are those of section
/// 6 in `Protocols/native-v1.md`.
struct Conversations {
    private struct Entry {
        let key: ConversationKey
        var hasEndedHere = false
        var hasEndedThere = false
        /// Nobody works on it any more.
        var isReleased = false
    }

    /// What becomes of a frame with an id.
    enum Verdict: Equatable {
        /// The frame opens the conversation.
        case opening
        case known
        /// The conversation has ended. The frame is dropped.
        case late
    }

    /// 1 where this side made the channel and opens the odd ids, 2 where it opens the even ones.
    private let firstOwn: UInt64
    private var firstPeer: UInt64 { 3 - firstOwn }
    private var entries: [UInt64: Entry] = [:]
    private var ids: [ConversationKey: UInt64] = [:]
    private var lastOwn: UInt64?
    private var lastPeer: UInt64?
    /// The highest id that the peer lets this side open; 0 before its hello.
    private var highestOwn: UInt64 = 0
    /// How many of the peer's may be open, or still be worked on.
    private let peerLimit: Int
    /// How many are.
    private var peerCount = 0
    /// Those that have ended, and are still worked on.
    private var endedUnreleased: Set<UInt64> = []
    private var peerOpenedCount = 0
    /// The highest id that the peer may open, as it has been told.
    private var toldHighestPeer: UInt64
    private var hasPeerEnded = false
    /// Those that have ended since they were asked for.
    private var ended: [UInt64] = []

    init(isMaker: Bool, peerLimit: Int) {
        firstOwn = isMaker ? 1 : 2
        self.peerLimit = peerLimit
        toldHighestPeer = 0
        toldHighestPeer = id(firstPeer, count: peerLimit)
    }

    private func id(_ first: UInt64, count: Int) -> UInt64 {
        count == 0 ? 0 : first + 2 * UInt64(count - 1)
    }

    // MARK: This side's

    /// The peer lets this side open so many at first.
    mutating func peerAnnounced(_ count: Int) {
        raiseHighestOwn(to: id(firstOwn, count: count))
    }

    mutating func raiseHighestOwn(to id: UInt64) {
        highestOwn = max(highestOwn, id)
    }

    /// Whether the peer still takes new ones at all.
    var maySomedayOpen: Bool { !hasPeerEnded }

    /// The id of the conversation whose first frame is written now; nil while the peer allows no more.
    mutating func open(_ key: ConversationKey) -> UInt64? {
        let next = lastOwn.map { $0 + 2 } ?? firstOwn
        guard next <= highestOwn, !hasPeerEnded else { return nil }
        lastOwn = next
        add(next, key)
        return next
    }

    private mutating func add(_ id: UInt64, _ key: ConversationKey) {
        entries[id] = Entry(key: key)
        ids[key] = id
    }

    /// This side's last message of the id, or its end, is written.
    mutating func endHere(_ id: UInt64) {
        entries[id]?.hasEndedHere = true
        removeIfEnded(id)
    }

    /// The peer's last message of the id, or its end, has come as a whole.
    mutating func endThere(_ id: UInt64) {
        entries[id]?.hasEndedThere = true
        removeIfEnded(id)
    }

    /// The id has ended: a failure or a cancel.
    mutating func remove(_ id: UInt64) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        ids[entry.key] = nil
        ended.append(id)
        if entry.key.isOwn { return }
        if entry.isReleased { peerCount -= 1 } else { endedUnreleased.insert(id) }
    }

    /// The ids that have ended since the last call, for who still keeps something of them.
    mutating func takeEnded() -> [UInt64] {
        if ended.isEmpty { return [] }
        defer { ended = [] }
        return ended
    }

    /// Whether this side has said all that the other waits for.
    var owesNothing: Bool { entries.allSatisfy(\.value.hasEndedHere) }

    func key(of id: UInt64) -> ConversationKey? { entries[id]?.key }
    func id(of key: ConversationKey) -> UInt64? { ids[key] }
    var count: Int { entries.count }

    // MARK: The peer's

    /// A frame with an id that is not 0 has come.
    mutating func receive(_ frame: FrameHeader) throws(WireError) -> Verdict {
        let id = frame.id
        if entries[id] == nil, !wasOpened(id) {
            try checkOpening(frame)
            lastPeer = id
            peerCount += 1
            peerOpenedCount += 1
            add(id, .peer(id))
            return .opening
        }
        guard let entry = entries[id] else { return .late }
        if entry.hasEndedThere, frame.kind == .end || !frame.kind.isControl && frame.kind != .failure {
            throw .afterEnd(id)
        }
        return .known
    }

    private func wasOpened(_ id: UInt64) -> Bool {
        let last = isOwn(id) ? lastOwn : lastPeer
        return id <= last ?? 0
    }

    func isOwn(_ id: UInt64) -> Bool { id % 2 == firstOwn % 2 }

    private func checkOpening(_ frame: FrameHeader) throws(WireError) {
        let next = lastPeer.map { $0 + 2 } ?? firstPeer
        guard frame.id == next, !frame.kind.isControl else { throw .idNotOpened(frame.id) }
        if frame.id > toldHighestPeer { throw .tooManyIDs(frame.id, limit: toldHighestPeer) }
        if frame.kind == .failure || !frame.flags.contains(.meta) { throw .openedWithoutMeta(frame.id) }
    }

    private mutating func removeIfEnded(_ id: UInt64) {
        if let entry = entries[id], entry.hasEndedHere, entry.hasEndedThere { remove(id) }
    }

    /// The peer says nothing more, or nothing more of it is read. Returns the conversations that are over by that:
    /// those of which it owes something.
    mutating func peerEnded() -> [(id: UInt64, key: ConversationKey)] {
        hasPeerEnded = true
        let over = entries.filter { !$0.value.hasEndedThere }.sorted { $0.key < $1.key }
        for (id, _) in over { remove(id) }
        return over.map { ($0.key, $0.value.key) }
    }

    /// Nobody works any more on a conversation that the peer has opened. There is room for another one as soon as it
    /// has ended, too: a peer that reads no answers can't open more for ever.
    mutating func release(_ key: ConversationKey) {
        if key.isOwn { return }
        entries[key.number]?.isReleased = true
        if endedUnreleased.remove(key.number) != nil { peerCount -= 1 }
    }

    /// The highest id that the peer may open, where it is time to tell it: it has less than half left.
    mutating func grant() -> UInt64? {
        let highest = id(firstPeer, count: peerOpenedCount + peerLimit - peerCount)
        let left = (toldHighestPeer - min(lastPeer ?? 0, toldHighestPeer)) / 2
        guard highest > toldHighestPeer, left <= UInt64(peerLimit / 2) else { return nil }
        toldHighestPeer = highest
        return highest
    }

    /// What has been told of it.
    var highestPeer: UInt64 { toldHighestPeer }
}
