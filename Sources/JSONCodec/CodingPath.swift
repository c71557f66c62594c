/// Where a value stands in the text; the keys from the top are made only when an error needs them.
indirect enum CodingPath {
    case root
    case member(of: CodingPath, any CodingKey)
    case element(of: CodingPath, Int)

    var keys: [any CodingKey] {
        var keys: [any CodingKey] = []
        var place = self
        while true {
            switch place {
            case .root:
                return keys.reversed()
            case .member(let parent, let key):
                keys.append(key)
                place = parent
            case .element(let parent, let index):
                keys.append(PathKey(index))
                place = parent
            }
        }
    }
}

/// A coding key for a name or an index that no enum of the user's stands for.
struct PathKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    static let `super` = PathKey("super")

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
