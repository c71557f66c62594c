/// A type of the standard library that can be read from an array node without its `init(from:)`.
protocol DirectlyDecodable {
    /// - Parameter place: that of an array.
    static func decode(in session: DecodingSession, at place: TapeDecoder.Place) throws -> Self
}

extension Array: DirectlyDecodable where Element: Decodable {
    static func decode(in session: DecodingSession, at place: TapeDecoder.Place) throws -> [Element] {
        let reader = session.reader
        let entry = reader[Int(place.node)]
        let count = entry.count
        // Many small values must not make room for as many large elements before the first of them has failed.
        guard count * MemoryLayout<Element>.stride <= entry.length * 8 * MemoryLayout<TapeEntry>.stride else {
            return try Self(from: session.decoder(at: place))
        }
        return try Self(unsafeUninitializedCapacity: count) { elements, initializedCount in
            var next = Int(place.node) + 1
            for index in 0..<count {
                let element = TapeDecoder.Place(
                    node: next, parent: place.node, index: index, depth: Int(place.depth) + 1)
                // There is room for as many as are counted here.
                elements.initializeElement(at: index, to: try session.value(Element.self, at: element))
                initializedCount = index + 1
                next = reader.end(of: next)
            }
        }
    }
}
