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
        offset = writer.text.pointee.bytes.count
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
        writer.text.pointee.bytes.append(ascii: "null")
        content = .scalar
    }

    private func encodeComposite<T: Encodable>(_ value: T) throws {
        if T.self == JSON.self {
            let json = unsafeBitCast(value, to: JSON.self)  // from a type to itself
            try requireDepth(of: json, room: JSONText.maximumDepth - depth)
            writer.text.pointee.bytes.append(json: json)
            content = .scalar
        } else if T.self is any DirectlyEncodable.Type, let direct = value as? any DirectlyEncodable {
            // The types are asked first: a failed cast of a value would have copied it.
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
        guard writer.text.pointee.bytes.count != offset else { return }
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
        writer.text.pointee.bytes.append(UInt8(ascii: shape == .array ? "[" : "{"))
        content = wanted
        isOpen = true
        level = writer.push(self)
        firstKey = writer.text.pointee.keys.count
        return self
    }

    /// Called by the writer when something outside is to be written, or at the end.
    func close(mayContinue: Bool) {
        closingOffset = writer.text.pointee.bytes.count
        writer.text.pointee.bytes.append(UInt8(ascii: content == .array ? "]" : "}"))
        isOpen = false
        if content == .object {
            // Only while somebody holds this slot can there be more keys to compare with.
            if mayContinue { collectKeys() }
            writer.text.pointee.keys.removeLast(writer.text.pointee.keys.count - firstKey)
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
    }

    /// Writes a key, after which the value is to be written.
    ///
    /// - Throws: where the object has that key already; then nothing is written.
    func beginMember(_ key: some CodingKey) throws {
        try session.check()
        advance()
        if manyKeys == nil && writer.text.pointee.keys.count - firstKey >= Self.fewKeys { collectKeys() }
        guard appendNewKey(key.stringValue) else {
            throw invalid(key.stringValue, "The object has that key already; two members cannot share one.", at: key)
        }
        count += 1
    }

    func beginElement() throws {
        try session.check()
        advance()
        if count > 0 { writer.text.pointee.bytes.append(UInt8(ascii: ",")) }
        count += 1
    }

    // MARK: Keys

    /// More keys than that are looked up in a set.
    static let fewKeys = 16

    private func appendNewKey(_ key: String) -> Bool {
        guard manyKeys != nil else {
            return writer.text.pointee.append(newKey: key, isFirst: count == 0, firstKey: firstKey)
        }
        let length = writer.text.pointee.bytes.count
        let range = writer.text.pointee.append(key: key, isFirst: count == 0)
        // `!`: checked above.
        let isNew = manyKeys!.insert(ExactString(escaped: writer.text.pointee.bytes[range])).inserted
        if !isNew { writer.text.pointee.bytes.removeLast(writer.text.pointee.bytes.count - length) }
        return isNew
    }

    private func collectKeys() {
        guard manyKeys == nil else { return }
        let text = writer.text.pointee
        manyKeys = Set(text.keys[firstKey...].map { ExactString(escaped: text.bytes[$0]) })
    }
}

extension ExactString {
    /// Escaping is one to one, so the escaped forms can be compared instead of the keys.
    fileprivate init(escaped bytes: ArraySlice<UInt8>) {
        self.init(String(decoding: bytes, as: UTF8.self))
    }
}
