/// Several open descriptors with one owner: closed when the value ends, unless they have been taken.
package struct DescriptorList: ~Copyable, Sendable {
    private var numbers: [CInt] = []

    package init() {}

    /// Takes ownership of open descriptors.
    package init(owning numbers: [CInt]) {
        self.numbers = numbers
    }

    /// Takes ownership of descriptors that have just come, each with the lowest number that was free. Where this
    /// process has closed a standard stream that is its number, and the program would print into what came.
    init(received numbers: Slice<UnsafeMutableBufferPointer<CInt>>) {
        self.numbers = numbers.map { number in
            guard number <= 2, let other = try? System.duplicate(number, atLeast: 3) else { return number }
            System.close(number)
            return other
        }
    }

    deinit {
        for number in numbers { System.close(number) }
    }

    package var count: Int { numbers.count }
    package var isEmpty: Bool { numbers.isEmpty }

    package mutating func append(_ descriptor: consuming Descriptor) {
        numbers.append(descriptor.take())
    }

    /// The first of them, which is the caller's from now on.
    package mutating func popFirst() -> Descriptor? {
        numbers.isEmpty ? nil : Descriptor(owning: numbers.removeFirst())
    }

    /// The first that this process has closed behind the back of the list, if there is one.
    package var firstClosed: CInt? {
        numbers.first { !System.isOpen($0) }
    }

    package func withNumbers<Result, Failure>(
        _ body: (UnsafeBufferPointer<CInt>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try numbers.withUnsafeBufferPointer(body)
    }
}

/// Descriptors that several refer to, for one of them to take; closed when nobody refers to them any more.
package final class SharedDescriptors: Sendable {
    package let count: Int
    private let list: Locked<DescriptorList>

    package init(_ list: consuming DescriptorList) {
        count = list.count
        self.list = Locked(list)
    }

    /// The first that nobody has taken yet.
    package func takeFirst() -> Descriptor? {
        list.withLock { $0.popFirst() }
    }

    /// All that nobody has taken yet.
    package func takeAll() -> DescriptorList {
        list.withLock { list in
            var taken = DescriptorList()
            swap(&taken, &list)
            return taken
        }
    }
}
