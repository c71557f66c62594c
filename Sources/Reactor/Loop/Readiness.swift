/// What the loop is asked to report of a descriptor.
package enum Interest: Sendable {
    case reading
    /// Only while a write waits: each read by the peer would be a wake-up here.
    case readingAndWriting
    /// Nothing, until the interest is changed.
    case nothing
    /// Bytes to read, or the end; reported once, and then nothing more until it is asked for again.
    case readingOnce
    /// Room to write, or a peer that reads no more; once, as before.
    case writingOnce
}

/// What may be possible on a descriptor now. A hint: a read or write can still find nothing.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    // Concrete, so that a question is one instruction: that of `OptionSet` is generic code of another module.
    package var isReadable: Bool { rawValue & 1 != 0 }
    package var isWritable: Bool { rawValue & 2 != 0 }
    package var isPeerClosed: Bool { rawValue & 4 != 0 }

    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    /// The peer writes no more; what it wrote before may still be unread.
    package static let peerClosed = Readiness(rawValue: 4)
}
