/// What all parts of one decoding share, in one allocation: the tape, and for each level of depth a cursor.
///
/// Types read the members of an object in the order in which they were written, nearly always, so a member is looked
/// for behind the one before it. The elements are the cursors: the object in the upper half of a word, and in the lower
/// where to look first. One word, so that a cursor never stands in another object. An object at the same depth takes
/// the cursor over, and one inside does not: so whatever stands in the members, to read all of them takes linear time.
///
/// It has no locks: all decoders and containers of one decoding belong to one thread at a time.
final class DecodingSession: ManagedBuffer<DecodingSession.Header, UInt64> {
    struct Header {
        let tape: Tape
        let reader: TapeReader
        /// The value that is decoded, with which every coding path begins.
        let root: Int
        var keyListings = 0
        let entryCount: Int
        /// How many members there were in the objects that were searched.
        var searchedMembers = 0
        var indexes: [Int: MemberIndex] = [:]
        /// For each type of keys that was asked for twice.
        var containerFactories = TypeCache<AnyKeyedContainerFactory>()
        var keyTypes = TypeCache<Void>()
        var arrays = TypeCache<(any DirectlyDecodable.Type)?>()
    }

    static func make(of tape: Tape, root: Int) -> DecodingSession {
        let depth = tape.depth
        let made = DecodingSession.create(minimumCapacity: depth) { _ in
            Header(tape: tape, reader: tape.reader, root: root, entryCount: tape.reader[root].length)
        }
        made.withUnsafeMutablePointerToElements { $0.initialize(repeating: .max, count: depth) }
        // `create` makes an object of the class that it is called on.
        return unsafeDowncast(made, to: DecodingSession.self)
    }

    @inline(__always)
    var reader: TapeReader { withUnsafeMutablePointerToHeader { $0.pointee.reader } }

    var root: Int { withUnsafeMutablePointerToHeader { $0.pointee.root } }

    /// How often all the keys of an object were asked for, which is what dictionaries do.
    var keyListings: Int {
        @inline(__always) get { withUnsafeMutablePointerToHeader { $0.pointee.keyListings } }
        set { withUnsafeMutablePointerToHeader { $0.pointee.keyListings = newValue } }
    }

    /// The value of a member, or nil if there is none.
    ///
    /// - Parameters:
    ///   - depth: how many arrays and objects are around the object.
    ///   - isLast: the member is read now, and the next is looked for behind it.
    func member(_ key: consuming String, of object: UInt32, depth: UInt32, isLast: Bool) -> Int? {
        key.withUTF8 { member(UnsafeRawBufferPointer($0), of: Int(object), depth: Int(depth), isLast: isLast) }
    }

    @inline(__always)
    private func member(_ key: UnsafeRawBufferPointer, of object: Int, depth: Int, isLast: Bool) -> Int? {
        withUnsafeMutablePointers { header, cursors in
            let reader = header.pointee.reader
            let cursor = cursors[depth]
            let start = Int(cursor >> 32) == object ? Int(cursor & 0xFFFF_FFFF) : object + 1
            let value: Int
            if start < reader.end(of: object), reader.isKey(start, key) {
                value = start + 1
            } else {
                guard let found = search(key, in: object, from: start) else { return nil }
                value = found
            }
            cursors[depth] = UInt64(object) << 32 | UInt64(isLast ? reader.end(of: value) : value - 1)
            return value
        }
    }

    /// Looks at all keys, if need be. Whoever asks for the members of large objects in another order, or for members
    /// that are not there, and so looks at more keys than a few times all that the text has, gets them from an index.
    @inline(never)
    private func search(_ key: UnsafeRawBufferPointer, in object: Int, from start: Int) -> Int? {
        let memberCount = reader[object].count
        guard memberCount > Self.fewMembers else { return reader.member(key, of: object, from: start) }
        return withUnsafeMutablePointerToHeader { header in
            if header.pointee.searchedMembers > 4 * header.pointee.entryCount {
                if let index = header.pointee.indexes[object] { return index[key] }
                let index = MemberIndex(of: object, in: header.pointee.reader)
                header.pointee.indexes[object] = index
                return index[key]
            }
            header.pointee.searchedMembers += memberCount
            return header.pointee.reader.member(key, of: object, from: start)
        }
    }

    /// In objects of no more members than that nothing is indexed.
    private static let fewMembers = 32
}

/// Where each member of an object is.
struct MemberIndex {
    private let values: [BytewiseString: Int]

    init(of object: Int, in reader: TapeReader) {
        var values: [BytewiseString: Int] = [:]
        values.reserveCapacity(reader[object].count)
        var key = object + 1
        for _ in 0..<reader[object].count {
            values[BytewiseString(reader.string(at: key))] = key + 1
            key = reader.end(of: key + 1)
        }
        self.values = values
    }

    subscript(key: UnsafeRawBufferPointer) -> Int? {
        values[BytewiseString(String(decoding: key, as: UTF8.self))]
    }
}

// MARK: - Types

extension DecodingSession {
    /// The container of an object node.
    ///
    /// `Key.self` is what counts: if that is a class, `type` may be one of its subclasses.
    @inline(__always)
    func container<Key: CodingKey>(
        keyedBy type: Key.Type, of node: UInt32, depth: UInt32
    ) -> KeyedDecodingContainer<Key> {
        let id = ObjectIdentifier(Key.self)
        if let factory = withUnsafeMutablePointerToHeader({ $0.pointee.containerFactories[id] }) {
            return factory.cast(type).container(of: node, depth: depth, in: self)
        }
        return unknownContainer(keyedBy: type, of: node, depth: depth)
    }

    @inline(never)
    private func unknownContainer<Key: CodingKey>(
        keyedBy type: Key.Type, of node: UInt32, depth: UInt32
    ) -> KeyedDecodingContainer<Key> {
        let id = ObjectIdentifier(Key.self)
        withUnsafeMutablePointerToHeader { header in
            if header.pointee.keyTypes[id] != nil {
                let factory = DecodingContainerFactory<ObjectDecodingContainer<Key>>()
                header.pointee.containerFactories.add(AnyKeyedContainerFactory(factory), for: id)
            } else {
                header.pointee.keyTypes.add((), for: id)
            }
        }
        return KeyedDecodingContainer(ObjectDecodingContainer<Key>(session: self, node: node, depth: depth))
    }

    /// The type itself, if it is one that is decoded directly from arrays. To ask for a conformance takes longer
    /// still.
    @inline(__always)
    func arrayType<T: Decodable>(_ type: T.Type) -> (any DirectlyDecodable.Type)? {
        withUnsafeMutablePointerToHeader { header in
            if let known = header.pointee.arrays[ObjectIdentifier(T.self)] { return known }
            return header.pointee.arrays.add(T.self as? any DirectlyDecodable.Type, for: ObjectIdentifier(T.self))
        }
    }
}
