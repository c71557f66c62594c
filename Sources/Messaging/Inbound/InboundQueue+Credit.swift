internal import Wire

// How much more the peer may send.
extension InboundQueue {
    /// How much of begun messages may be gathered beyond the windows, for all conversations together; the oldest of
    /// them goes on in any case.
    private static let gatheredLimit: UInt64 = 64 << 20

    /// A message of a conversation has been dealt with.
    mutating func took(_ id: UInt64, _ cost: UInt64) {
        lanes[id]?.credit.take(cost)
        touch(id)
    }

    /// A conversation is over, and nothing of it is waited for.
    mutating func forget(_ id: UInt64) {
        begunHandleCount -= lanes[id]?.begunHandleCount ?? 0
        lanes[id] = nil
        touch(id)
    }

    /// The same of several.
    mutating func forget(_ ids: [UInt64]) {
        for id in ids { forget(id) }
    }

    mutating func touch(_ id: UInt64) {
        if id != 0, dialect.isNative { touched.insert(id) }
    }

    mutating func grantStep() -> Step? {
        if touched.isEmpty, !main.credit.isLow { return nil }
        if isExhausted || !dialect.isNative { return nil }
        // A message that somebody waits for has to come to its end, however long it is.
        let gathered = hasConsumer && pauses == 0 ? main.begun?.cost ?? 0 : 0
        if let limit = main.credit.grant(gathered: gathered) { return .grant(id: 0, limit: limit) }
        if touched.isEmpty { return nil }
        return grantTouched()
    }

    private mutating func grantTouched() -> Step? {
        let begun = lanes.filter { $0.value.begun != nil }
        let total = begun.reduce(0) { $0 + ($1.value.begun?.cost ?? 0) }
        let oldest = begun.keys.min()
        if total < Self.gatheredLimit { touched.formUnion(stalled) } else if let oldest { touched.insert(oldest) }
        while let id = touched.popFirst() {
            stalled.remove(id)
            guard let lane = lanes[id], !lane.hasEnded else { continue }
            var credit = lane.credit
            let mayGather = total < Self.gatheredLimit || id == oldest
            if !mayGather { stalled.insert(id) }
            let limit = credit.grant(gathered: mayGather ? lane.begun?.cost ?? 0 : 0)
            lanes[id]?.credit = credit
            if let limit { return .grant(id: id, limit: limit) }
        }
        return nil
    }
}
