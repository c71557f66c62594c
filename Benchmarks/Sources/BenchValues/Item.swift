/// The small message of the one-way workloads.
public struct Item: Codable, Sendable {
    public var id: Int
    public var name = "item"
    /// False in the last item.
    public var ok: Bool

    /// The item with that index, of so many; indices begin with 1.
    public init(_ index: Int, of count: Int) {
        id = Self.id(of: index)
        ok = index < count
    }

    /// Ids have six digits, so that all peers send the same number of bytes.
    public static func id(of index: Int) -> Int { 100_000 + index % 900_000 }

    public static func sumOfIDs(_ count: Int) -> Int { (1...count).reduce(0) { $0 + id(of: $1) } }
}
