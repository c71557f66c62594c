package import SystemPackage

/// An open file descriptor with one owner: closed when the value ends, or handed on with `take()`.
package struct Descriptor: ~Copyable, Sendable {
    package let rawValue: CInt

    /// Takes ownership of an open descriptor.
    package init(owning rawValue: CInt) {
        self.rawValue = rawValue
    }

    deinit {
        System.close(rawValue)
    }

    /// Gives the descriptor up without closing it.
    package consuming func take() -> CInt {
        let rawValue = rawValue
        discard self
        return rawValue
    }

    /// The same, with a number above those of the standard streams. Where these are closed the next descriptor gets
    /// their number: the program would print into it, or put another stream in its place.
    package consuming func aboveStandardStreams() throws(Errno) -> Descriptor {
        if rawValue > 2 { return self }
        return try duplicate(atLeast: 3)
    }

    /// A duplicate whose number is `minimum` or higher, marked close-on-exec.
    package borrowing func duplicate(atLeast minimum: CInt = 0) throws(Errno) -> Descriptor {
        Descriptor(owning: try System.duplicate(rawValue, atLeast: minimum))
    }
}

/// An open file descriptor with several owners: closed when the last of them lets it go.
package final class SharedDescriptor: Sendable {
    package let descriptor: Descriptor

    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }
}
