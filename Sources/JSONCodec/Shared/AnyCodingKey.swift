/// A coding key for a name or an index that no enum of the user's stands for.
struct AnyCodingKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    static let `super` = AnyCodingKey("super")

    init(_ string: String) {
        stringValue = string
        intValue = nil
    }

    init(_ index: Int) {
        stringValue = "Index \(index)"
        intValue = index
    }

    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(intValue) }
}
