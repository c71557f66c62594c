extension JSON {
    /// The members of a JSON object, in the order in which they were received or inserted.
    ///
    /// It is a collection of `(key, value)` pairs. Equality ignores the order. Keys are equal when they have the same
    /// Unicode scalars, so "\u{e9}" and "e\u{301}" are two keys.
    ///
    /// No two members have the same key, unless the object was made from a literal that has a key twice. A literal
    /// cannot fail, so such an object keeps all members that were written, and to encode or to send it is an error that
    /// names the key. Setting that key leaves one member, and so repairs the object.
    public struct Object: Sendable {
        private static let fewMembers = 16

        private var members: [Member]
        /// Where each key stands first, once they are many: few are found sooner by looking at each.
        private var places: [BytewiseString: Int]?
        /// A literal had some key twice.
        private var hasRepeatedKeys = false

        /// An object without members.
        public init() {
            members = []
        }

        /// The caller has proved that no key occurs twice.
        init(uniqueMembers: [Member]) {
            members = uniqueMembers
            findPlaces()
        }

        private mutating func findPlaces() {
            places =
                members.count <= Self.fewMembers
                ? nil : Dictionary(zip(members.lazy.map(\.key), members.indices)) { first, _ in first }
        }

        private func place(of key: BytewiseString) -> Int? {
            places.map { $0[key] } ?? members.firstIndex { $0.key == key }
        }

        /// The value of that key, the first if a literal had it twice, or nil if there is none.
        ///
        /// Setting a value replaces the one that is there and keeps its place, or adds a member at the end. Setting nil
        /// removes the member; to store a null, set `.null`.
        public subscript(key: String) -> JSON? {
            get { place(of: BytewiseString(key)).map { members[$0].value } }
            set {
                let key = BytewiseString(key)
                if hasRepeatedKeys { removeRepetitions(of: key) }
                switch (place(of: key), newValue) {
                case (let place?, let value?): members[place].value = value
                case (nil, let value?): append(Member(key: key, value: value))
                case (let place?, nil):
                    members.remove(at: place)
                    findPlaces()
                case (nil, nil): break
                }
            }
        }

        private mutating func append(_ member: Member) {
            members.append(member)
            if places != nil {
                places?[member.key] = members.count - 1
            } else if members.count > Self.fewMembers {
                findPlaces()
            }
        }

        // MARK: Keys that a literal has twice

        /// - Parameter literal: may have a key twice.
        init(literal: [(String, JSON)]) {
            self.init()
            for (key, value) in literal {
                let key = BytewiseString(key)
                if place(of: key) != nil { hasRepeatedKeys = true }
                append(Member(key: key, value: value))
            }
            if hasRepeatedKeys { findPlaces() }
        }

        private mutating func removeRepetitions(of key: BytewiseString) {
            guard let first = place(of: key) else { return }
            members = members.enumerated().filter { $0.offset <= first || $0.element.key != key }.map(\.element)
            findPlaces()
            hasRepeatedKeys = repeatedKey != nil
        }

        /// The first key that an earlier member has already; such an object is no JSON.
        var repeatedKey: String? {
            guard hasRepeatedKeys else { return nil }
            return members.indices.first { place(of: members[$0].key) != $0 }.map { members[$0].key.string }
        }

        /// Whether the same keys have the same values in the same order; for objects that have a key twice.
        private func hasSameRepetitions(as other: Self) -> Bool {
            members.allSatisfy { values(of: $0.key) == other.values(of: $0.key) }
        }

        private func values(of key: BytewiseString) -> [JSON] {
            members.filter { $0.key == key }.map(\.value)
        }

        /// Calls the closure with each member in order.
        @inline(__always)
        func forEachMember(_ body: (String, JSON) throws -> Void) rethrows {
            for member in members { try body(member.key.string, member.value) }
        }

        /// The keys in order.
        public var keys: [String] { members.map(\.key.string) }

        /// The values in the order of the keys.
        public var values: [JSON] { members.map(\.value) }
    }
}

extension JSON.Object {
    struct Member: Sendable {
        let key: BytewiseString
        var value: JSON
    }
}

extension JSON.Object: RandomAccessCollection {
    public typealias Element = (key: String, value: JSON)

    public var startIndex: Int { 0 }
    public var endIndex: Int { members.count }

    public subscript(position: Int) -> Element {
        let member = members[position]
        return (member.key.string, member.value)
    }
}

extension JSON.Object: ExpressibleByDictionaryLiteral {
    /// The members in the order written. If a key is written twice, the object keeps both members, and to encode or to
    /// send it is an error.
    public init(dictionaryLiteral members: (String, JSON)...) {
        self.init(literal: members)
    }
}

extension JSON.Object: Hashable {
    public static func == (left: JSON.Object, right: JSON.Object) -> Bool {
        guard left.count == right.count, left.hasRepeatedKeys == right.hasRepeatedKeys else { return false }
        if left.hasRepeatedKeys { return left.hasSameRepetitions(as: right) }
        return left.members.allSatisfy { right[$0.key.string] == $0.value }
    }

    public func hash(into hasher: inout Hasher) {
        // A sum, because it must not depend on the order.
        var sum = 0
        for member in members {
            var hasher = Hasher()
            hasher.combine(member.key)
            hasher.combine(member.value)
            sum &+= hasher.finalize()
        }
        hasher.combine(count)
        hasher.combine(sum)
    }
}

extension JSON.Object: CustomStringConvertible {
    /// The object as compact JSON text.
    public var description: String { JSON.object(self).description }
}
