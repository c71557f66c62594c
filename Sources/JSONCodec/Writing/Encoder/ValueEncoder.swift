/// The encoder of one value, at its place in the text. It is also the container that the value opens there.
///
/// The variables of this class, and of those that it works with, are `@exclusivity(unchecked)`, because the checks took
/// a tenth of the time. All of them belong to one call of ``JSONText/append(_:numbersAreDoubles:to:)`` on one thread,
/// and none is changed through a reference that outlives a statement.
final class ValueEncoder {
    /// More keys than that are looked up in a set.
    static let fewKeys = 16

    let session: EncodingSession
    @exclusivity(unchecked) private var parent: ValueEncoder?
    @exclusivity(unchecked) private var place: Place
    /// How many arrays and objects are around the value.
    @exclusivity(unchecked) private(set) var depth: Int
    /// The container that the writer has open around this one, or the next encoder that waits to be used again.
    @exclusivity(unchecked) var outer: ValueEncoder?

    @exclusivity(unchecked) private var content = Content.nothing
    /// What is written to this encoder goes here. It changes when the writer has moved past the encoder's place.
    @exclusivity(unchecked) private(set) var writer: SplicingWriter
    /// Where the value begins in `writer`.
    @exclusivity(unchecked) private var offset: Int

    // For arrays and objects:
    /// Index among the writer's open containers; -1 for one that is continued in a writer of its own.
    @exclusivity(unchecked) private var level = 0
    @exclusivity(unchecked) private var isOpen = false
    @exclusivity(unchecked) private var closingOffset = 0
    @exclusivity(unchecked) private(set) var count = 0
    /// Where the keys of this object begin in the writer's `keys`.
    @exclusivity(unchecked) private var firstKey = 0
    /// Has a bit for each of these keys.
    @exclusivity(unchecked) private var keyFilter: UInt64 = 0
    /// All the keys, escaped, once they are many or the object has left the writer's stack.
    @exclusivity(unchecked) private var manyKeys: Set<BytewiseString>?

    init(session: EncodingSession, writer: SplicingWriter, parent: ValueEncoder? = nil, place: Place = .top) {
        self.session = session
        self.writer = writer
        self.parent = parent
        self.place = place
        depth = parent.map { $0.depth + 1 } ?? 0
        offset = writer.buffer.pointee.count
    }

    /// Makes this the encoder of another value. Nobody else may hold it.
    func reuse(writer: SplicingWriter, parent: ValueEncoder, place: Place) {
        if self.writer !== writer { self.writer = writer }
        self.parent = parent
        self.place = place
        depth = parent.depth + 1
        offset = writer.buffer.pointee.count
        content = .nothing
        isOpen = false
        count = 0
    }

    /// Lets go of all that is not needed before the encoder is used again.
    func reset() {
        parent = nil
        place = .top
        if manyKeys != nil { manyKeys = nil }
    }

    var path: [any CodingKey] {
        var keys: [any CodingKey] = []
        var encoder: ValueEncoder? = self
        while let current = encoder {
            switch current.place {
            case .top: break
            case .member(let key): keys.append(key)
            case .element(let index): keys.append(AnyCodingKey(index))
            }
            encoder = current.parent
        }
        return keys.reversed()
    }

    func invalid(_ value: Any, _ description: String, at key: (any CodingKey)? = nil) -> EncodingError {
        let path = path + (key.map { [$0] } ?? [])
        return .invalidValue(value, EncodingError.Context(codingPath: path, debugDescription: description))
    }

    // MARK: The value

    /// Writes the encoder's one value.
    func encode<T: Encodable>(_ value: T) throws {
        try session.check()
        try requireEncodable(value)
        guard content == .nothing else { throw invalid(value, "This encoder has a value already.") }
        begin()
        if writeScalar(value) {
            content = .scalar
            return
        }
        try encodeComposite(value)
    }

    func encodeNull() throws {
        try session.check()
        guard content == .nothing else { throw invalid(JSON.null, "This encoder has a value already.") }
        begin()
        writer.buffer.pointee.appendNull()
        content = .scalar
    }

    /// Writes a value that is no scalar. The writer stands where it belongs.
    func encodeComposite<T: Encodable>(_ value: T) throws {
        do {
            try writeComposite(value)
        } catch {
            session.fail(error)  // the text is incomplete now, even if the caller goes on
            throw error
        }
    }

    private func writeComposite<T: Encodable>(_ value: T) throws {
        if T.self == JSON.self {
            let json = unsafeBitCast(value, to: JSON.self)  // from a type to itself
            try requireEncodable(json, room: JSONText.maximumDepth - depth)
            writer.buffer.pointee.append(json: json)
            content = .scalar
        } else if let type = session.directType(of: T.self) {
            try withUnsafePointer(to: value) { try type.encode(at: UnsafeRawPointer($0), into: self) }
        } else {
            try session.recurse(into: self, value)
        }
        try session.check()
        if content == .nothing { throw hasNothing(value, "\(T.self)") }
    }

    /// Throws if nothing was written for this encoder's value.
    func requireContent() throws {
        if content == .nothing { throw hasNothing(JSON.null, "The super encoder") }
    }

    private func hasNothing(_ value: Any, _ what: String) -> EncodingError {
        invalid(
            value, "\(what) did not encode any values; for an empty object or array, ask the encoder for a container.")
    }

    /// - Parameter room: how many levels of arrays and objects it may have.
    private func requireEncodable(_ json: JSON, room: Int) throws {
        switch json {
        case .array(let elements):
            guard room > 0 else { throw tooDeep(.array) }
            for element in elements { try requireEncodable(element, room: room - 1) }
        case .object(let object):
            guard room > 0 else { throw tooDeep(.object) }
            if let key = object.repeatedKey { throw EncodingError.repeated(AnyCodingKey(key), path: path) }
            try object.forEachMember { _, value in try requireEncodable(value, room: room - 1) }
        case .double(let double):
            try requireEncodable(double)
        case .null, .bool, .integer, .unsigned, .string:
            break
        }
    }

    /// The error has an empty array or object for the value: its text would show all of what is inside.
    private func tooDeep(_ kind: ContainerKind) -> EncodingError {
        invalid(
            kind.empty, "Arrays and objects would be nested deeper than \(JSONText.maximumDepth) levels.")
    }

    /// Makes sure that the writer stands where the value belongs.
    private func begin() {
        guard writer.buffer.pointee.count != offset else { return }
        writer = writer.spliceValue(at: offset)
        offset = 0
    }

    // MARK: Arrays and objects

    /// Opens the container, or goes on with the one that is there. If the value is of another kind already, the
    /// encoding fails, and what is written to the container that is returned is thrown away.
    func open(_ kind: ContainerKind) -> ValueEncoder {
        let wanted = kind == .array ? Content.array : .object
        if content == wanted { return self }
        guard !session.hasFailed, content == .nothing, depth < JSONText.maximumDepth else {
            let isTwice = content != .nothing
            session.fail(
                isTwice ? invalid(kind.empty, "This encoder has a value of another kind already.") : tooDeep(kind))
            return ValueEncoder(session: session, writer: SplicingWriter())
        }
        begin()
        writer.buffer.pointee.open(kind)
        content = wanted
        isOpen = true
        level = writer.push(self)
        firstKey = writer.buffer.pointee.keyCount
        keyFilter = 0
        return self
    }

    /// Called by the writer when something outside is to be written, or at the end.
    func close(mayContinue: Bool) {
        closingOffset = writer.buffer.pointee.count
        writer.buffer.pointee.close(content == .array ? .array : .object)
        isOpen = false
        if content == .object {
            // Only while somebody holds this encoder can there be more keys to compare with.
            if mayContinue { collectKeys() }
            writer.buffer.pointee.cutKeys(to: firstKey)
        }
    }

    /// Brings the writer to where the next element or member belongs.
    @inline(__always)
    private func advance() {
        if isOpen { writer.close(above: level) } else { reopen() }
    }

    @inline(never)
    private func reopen() {
        writer = writer.spliceMembers(at: closingOffset)
        level = -1
        isOpen = true
    }

    /// Writes a key, after which the value is to be written.
    ///
    /// - Throws: if the object has that key already. Then nothing is written.
    @inline(__always)
    func beginMember(_ key: some CodingKey) throws {
        guard try beginMember(named: key.stringValue) else { throw EncodingError.repeated(key, path: path) }
    }

    /// Returns false if the object has that key already.
    private func beginMember(named key: consuming String) throws -> Bool {
        try session.check()
        advance()
        if manyKeys == nil && writer.buffer.pointee.keyCount - firstKey >= Self.fewKeys { collectKeys() }
        let isNew =
            manyKeys == nil
            ? writer.buffer.pointee.append(newKey: key, isFirst: count == 0, firstKey: firstKey, filter: &keyFilter)
            : appendAmongMany(key)
        if isNew { count += 1 }
        return isNew
    }

    func beginElement() throws {
        try session.check()
        advance()
        writer.buffer.pointee.beginElement(isFirst: count == 0)
        count += 1
    }

    // MARK: Keys

    @inline(never)
    private func appendAmongMany(_ key: String) -> Bool {
        let length = writer.buffer.pointee.count
        let range = writer.buffer.pointee.append(key: key, isFirst: count == 0)
        // `!`: the caller has looked.
        let isNew = manyKeys!.insert(BytewiseString(escaped: writer.buffer.pointee.bytes[range])).inserted
        if !isNew { writer.buffer.pointee.cut(to: length) }
        return isNew
    }

    private func collectKeys() {
        guard manyKeys == nil else { return }
        let text = writer.buffer.pointee
        manyKeys = Set(text.keys(from: firstKey).map { BytewiseString(escaped: text.bytes[$0]) })
    }
}

extension ValueEncoder {
    private enum Content {
        case nothing, scalar, array, object
    }

    /// Where the value stands in the container around it. An element's key is made only when a path is asked for.
    enum Place {
        case top
        case member(any CodingKey)
        case element(Int)
    }
}

extension ContainerKind {
    /// What stands for a value of this kind in an error.
    fileprivate var empty: JSON { self == .array ? [] : [:] }
}

extension BytewiseString {
    /// Escaping is one to one, so the escaped forms can be compared instead of the keys.
    fileprivate init(escaped bytes: Slice<UnsafeBufferPointer<UInt8>>) {
        self.init(String(decoding: bytes, as: UTF8.self))
    }
}
