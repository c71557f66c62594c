internal import OrderedCollections

extension JSON {
    /// The members of a JSON object, in the order in which they were received or inserted.
    ///
    /// It is a collection of `(key, value)` pairs. Equality ignores the order. Keys are equal when they have the same
    /// Unicode scalars, so "\u{e9}" and "e\u{301}" are two keys.
    public struct Object: Sendable {
        private var members: OrderedDictionary<ExactString, JSON>

        /// An object without members.
        public init() {
            members = [:]
        }

        /// The caller has proved that no key occurs twice.
        init(uniqueMembers: [(ExactString, JSON)]) {
            members = OrderedDictionary(uncheckedUniqueKeysWithValues: uniqueMembers)
        }

        /// The value of that key, or nil where there is none.
        ///
        /// Setting a value replaces the one that is there and keeps its place, or adds a member at the end. Setting nil
        /// removes the member; to store a null, set `.null`.
        public subscript(key: String) -> JSON? {
            get { members[ExactString(key)] }
            set { members[ExactString(key)] = newValue }
        }

        /// Calls the closure with each member in order.
        @inline(__always)
        func forEachMember(_ body: (String, JSON) throws -> Void) rethrows {
            for (key, value) in members { try body(key.string, value) }
        }

        /// The keys in order.
        public var keys: [String] { members.keys.map(\.string) }

        /// The values in the order of the keys.
        public var values: [JSON] { Array(members.values) }
    }
}

extension JSON.Object: RandomAccessCollection {
    public typealias Element = (key: String, value: JSON)

    public var startIndex: Int { 0 }
    public var endIndex: Int { members.count }

    public subscript(position: Int) -> Element {
        let member = members.elements[position]
        return (member.key.string, member.value)
    }
}

extension JSON.Object: ExpressibleByDictionaryLiteral {
    /// The members in the order written. When a key is written twice, the last value counts.
    public init(dictionaryLiteral members: (String, JSON)...) {
        self.init()
        for (key, value) in members { self[key] = value }
    }
}

extension JSON.Object: Hashable {
    public static func == (left: JSON.Object, right: JSON.Object) -> Bool {
        left.count == right.count && left.members.allSatisfy { right.members[$0.key] == $0.value }
    }

    public func hash(into hasher: inout Hasher) {
        // A sum, because it must not depend on the order.
        var sum = 0
        for (key, value) in members {
            var member = Hasher()
            member.combine(key)
            member.combine(value)
            sum &+= member.finalize()
        }
        hasher.combine(count)
        hasher.combine(sum)
    }
}

extension JSON.Object: CustomStringConvertible {
    /// The object as compact JSON text.
    public var description: String { JSON.object(self).description }
}
