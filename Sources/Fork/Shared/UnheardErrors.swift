/// Errors that nobody was there to hear, for the first who is. Only so many: a bad peer must not fill the memory.
struct UnheardErrors {
    private static let limit = 16

    private var errors: [ForkError] = []

    /// - Returns: those for which there was room.
    mutating func add(_ new: [ForkError]) -> [ForkError] {
        let added = Array(new.prefix(Self.limit - errors.count))
        errors += added
        return added
    }

    mutating func takeAll() -> [ForkError] {
        defer { errors = [] }
        return errors
    }
}
