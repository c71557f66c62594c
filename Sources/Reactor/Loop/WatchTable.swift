/// The handlers of the watched descriptors. A token names a place and its use, so an event that was under way when its
/// descriptor was given up, and the place taken by another, finds nothing.
struct WatchTable<Handler> {
    private struct Place {
        var use: UInt32 = 0
        var handler: Handler?
    }

    private var places: [Place] = []
    private var free: [Int] = []

    var count: Int { places.count - free.count }

    mutating func add(_ handler: Handler) -> UInt64 {
        if free.isEmpty {
            places.append(Place())
            free.append(places.count - 1)
        }
        let index = free.removeLast()
        places[index].handler = handler
        return UInt64(places[index].use) << 32 | UInt64(index)
    }

    /// Returns the handler, so that the owner can let it go when its lock is free: what it holds may end with it.
    @discardableResult
    mutating func remove(_ token: UInt64) -> Handler? {
        guard let index = index(of: token) else { return nil }
        let handler = places[index].handler
        places[index].handler = nil
        places[index].use &+= 1
        free.append(index)
        return handler
    }

    func handler(of token: UInt64) -> Handler? {
        index(of: token).flatMap { places[$0].handler }
    }

    private func index(of token: UInt64) -> Int? {
        let index = Int(token & 0xffff_ffff)
        guard index < places.count, places[index].use == UInt32(token >> 32), places[index].handler != nil else {
            return nil
        }
        return index
    }
}
