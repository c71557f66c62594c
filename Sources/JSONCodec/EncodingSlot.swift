/// The place of one value in the text, which is its `Encoder`, and then the container that the value opens there.
final class EncodingSlot {
    private enum Content {
        case nothing, scalar, array, object
    }

    let session: EncodingSession
    private let parent: EncodingSlot?
    private let key: (any CodingKey)?
    /// How many arrays and objects are around the value.
    private let depth: Int

    private var content = Content.nothing
    /// What is written to this slot goes here. It changes when the writer has moved past the slot's place.
    private(set) var writer: TextWriter
    /// Where the value begins in `writer`.
    private var offset: Int

    // For arrays and objects:
    /// Index among the writer's open containers; -1 for one that is continued in a writer of its own.
    private var level = 0
    private var isOpen = false
    private var closingOffset = 0
    private(set) var count = 0
    /// Where the keys of this object begin in the writer's `keys`.
    private var firstKey = 0
    /// All the keys, escaped, once they are many or the object has left the writer's stack.
    private var manyKeys: Set<ExactString>?

    init(session: EncodingSession, writer: TextWriter, parent: EncodingSlot? = nil, key: (any CodingKey)? = nil) {
        self.session = session
        self.writer = writer
        self.parent = parent
        self.key = key
        depth = parent.map { $0.depth + 1 } ?? 0
        offset = writer.bytes.count
    }

    var path: [any CodingKey] {
        var keys: [any CodingKey] = []
        var slot: EncodingSlot? = self
        while let current = slot {
            if let key = current.key { keys.append(key) }
            slot = current.parent
        }
        return keys.reversed()
    }

    func invalid(_ value: Any, _ description: String, at key: (any CodingKey)? = nil) -> EncodingError {
        let path = path + (key.map { [$0] } ?? [])
        return .invalidValue(value, EncodingError.Context(codingPath: path, debugDescription: description))
    }

    // MARK: The value

    /// Writes the slot's one value.
    func encode<T: Encodable>(_ value: T) throws {
        try session.check()
        try requireEncodable(value)
        guard content == .nothing else { throw invalid(value, "This encoder has a value already.") }
        begin()
        if try writeScalar(value) {
            content = .scalar
            return
        }
        do {
            try encodeComposite(value)
        } catch {
            session.fail(error)  // the text is incomplete now, even if the caller goes on
            throw error
        }
    }

    func encodeNull() throws {
        try session.check()
        guard content == .nothing else { throw invalid(JSON.null, "This encoder has a value already.") }
        begin()
        writer.bytes.append(ascii: "null")
        content = .scalar
    }

    private func encodeComposite(_ value: some Encodable) throws {
        if let json = value as? JSON {
            try requireDepth(of: json, room: JSONText.maximumDepth - depth)
            writer.bytes.append(json: json)
            content = .scalar
        } else if let direct = value as? any DirectlyEncodable {
            try direct.encode(into: self)
        } else {
            try session.recurse(value, at: self) { try value.encode(to: self) }
        }
        if content == .nothing { _ = open(.object) }
        try session.check()
    }

    private func requireDepth(of json: JSON, room: Int) throws {
        switch json {
        case .array(let elements):
            guard room > 0 else { throw tooDeep(json) }
            for element in elements { try requireDepth(of: element, room: room - 1) }
        case .object(let object):
            guard room > 0 else { throw tooDeep(json) }
            for (_, value) in object { try requireDepth(of: value, room: room - 1) }
        case .double(let double):
            try requireEncodable(double)
        case .null, .bool, .integer, .unsigned, .string:
            break
        }
    }

    private func tooDeep(_ value: Any) -> EncodingError {
        invalid(value, "Arrays and objects would be nested deeper than \(JSONText.maximumDepth) levels.")
    }

    /// Makes sure that the writer stands where the value belongs.
    private func begin() {
        guard writer.bytes.count != offset else { return }
        writer = writer.spliceValue(at: offset)
        offset = 0
    }

    // MARK: Arrays and objects

    enum Shape {
        case array, object
    }

    /// Opens the container, or goes on with the one that is there. A slot that has another kind of value fails the
    /// encoding, and what is written to the container that is returned is thrown away.
    func open(_ shape: Shape) -> EncodingSlot {
        let wanted = shape == .array ? Content.array : .object
        if content == wanted { return self }
        guard !session.hasFailed, content == .nothing, depth < JSONText.maximumDepth else {
            let isTwice = content != .nothing
            session.fail(isTwice ? invalid(shape, "This encoder has a value of another kind already.") : tooDeep(shape))
            return EncodingSlot(session: session, writer: TextWriter())
        }
        begin()
        writer.bytes.append(UInt8(ascii: shape == .array ? "[" : "{"))
        content = wanted
        isOpen = true
        level = writer.push(self)
        firstKey = writer.keys.count
        return self
    }

    /// Called by the writer when something outside is to be written.
    func close(isReferenced: Bool) {
        closingOffset = writer.bytes.count
        writer.bytes.append(UInt8(ascii: content == .array ? "]" : "}"))
        isOpen = false
        if content == .object {
            // Only where somebody holds this slot can there be more keys to compare with.
            if isReferenced { collectKeys() }
            writer.keys.removeLast(writer.keys.count - firstKey)
        }
    }

    /// Brings the writer to where the next element or member belongs.
    private func advance() {
        if isOpen {
            writer.close(above: level)
        } else {
            writer = writer.spliceMembers(at: closingOffset)
            level = -1
            isOpen = true
        }
        if count > 0 { writer.bytes.append(UInt8(ascii: ",")) }
        count += 1
    }

    /// Writes a key, after which the value is to be written.
    ///
    /// - Throws: where the object has that key already; then nothing is written.
    func beginMember(_ key: some CodingKey) throws {
        try session.check()
        let string = key.stringValue
        advance()
        let start = writer.bytes.count
        writer.bytes.append(UInt8(ascii: "\""))
        writer.bytes.append(escaped: string)
        let range = start + 1..<writer.bytes.count
        guard isNewKey(range) else {
            count -= 1
            writer.bytes.removeLast(writer.bytes.count - start + (count > 0 ? 1 : 0))
            throw invalid(string, "The object has that key already; two members cannot share one.", at: key)
        }
        writer.bytes.append(ascii: "\":")
    }

    func beginElement() throws {
        try session.check()
        advance()
    }

    // MARK: Keys

    /// Records the key, unless it is there already. Up to sixteen are compared one by one, which beats hashing.
    private func isNewKey(_ range: Range<Int>) -> Bool {
        if manyKeys == nil && writer.keys.count - firstKey >= 16 { collectKeys() }
        if manyKeys != nil {
            return manyKeys!.insert(ExactString(escaped: writer.bytes[range])).inserted  // `!`: just compared with nil
        }
        let isKnown = writer.bytes.withUnsafeBufferPointer { bytes in
            writer.keys[firstKey...].contains { known in
                known.count == range.count && bytes[known].elementsEqual(bytes[range])
            }
        }
        if !isKnown { writer.keys.append(range) }
        return !isKnown
    }

    private func collectKeys() {
        guard manyKeys == nil else { return }
        manyKeys = Set(writer.keys[firstKey...].map { ExactString(escaped: writer.bytes[$0]) })
    }
}

extension ExactString {
    /// Escaping is one to one, so the escaped forms can be compared instead of the keys.
    fileprivate init(escaped bytes: ArraySlice<UInt8>) {
        self.init(String(decoding: bytes, as: UTF8.self))
    }
}
