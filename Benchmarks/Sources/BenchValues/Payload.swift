public import Fork

/// An object with mixed members: 134 bytes of JSON with the comma behind it.
public struct Record: Codable, Sendable {
    public struct Place: Codable, Sendable {
        public var x: Int
        public var y: Int
    }

    public var id: Int
    public var name = "sensor 17"
    public var active = true
    public var score = 98.25
    public var tags = ["north", "roof"]
    public var place = Place(x: 12, y: -7)
    public var note = "last seen today"

    /// What the receiver adds up: something of every depth.
    public var checksum: Int { id + place.x + tags.count }

    public static func array(_ count: Int) -> [Record] { (1...count).map { Record(id: Item.id(of: $0)) } }
}

/// What the payload workloads send: so many records, integers or bytes, or an item.
public enum Payload: String, Sendable {
    case records
    case jsonRecords = "json-records"
    case string
    case integers
    case items
    case bytes

    public static func text(_ size: Int) -> String {
        String(decoding: (0..<size).map { $0 % 64 == 63 ? 10 : UInt8(97 + $0 % 23) }, as: UTF8.self)
    }

    public static func integers(_ size: Int) -> [Int] { (0..<size).map { Item.id(of: $0) } }

    public static func bytes(_ size: Int) -> [UInt8] { (0..<size).map { UInt8($0 % 251) } }

    /// What the receiver of a message adds to its sum, and zero for what was not sent. The whole text and all bytes are
    /// compared only if asked for: that is not what is measured.
    public func checksum(of message: Message, size: Int, isCompared: Bool) throws -> Int {
        switch self {
        case .records:
            return try message.decode([Record].self).reduce(0) { $0 + $1.checksum }
        case .jsonRecords:
            return message.json.arrayValue?.reduce(0) { $0 + Self.checksum(of: $1) } ?? 0
        case .string:
            let text = try message.decode(String.self)
            if isCompared && text != Self.text(size) { return 0 }
            return text.utf8.count
        case .integers:
            return try message.decode([Int].self).reduce(0, +)
        case .items:
            return try message.decode(Item.self).id
        case .bytes:
            guard let bytes = message.bytes else { return 0 }
            if isCompared && bytes != Self.bytes(size) { return 0 }
            return bytes.count
        }
    }

    private static func checksum(of record: JSON) -> Int {
        (record["id"]?.integerValue ?? 0) + (record["place"]?["x"]?.integerValue ?? 0)
            + (record["tags"]?.arrayValue?.count ?? 0)
    }
}
