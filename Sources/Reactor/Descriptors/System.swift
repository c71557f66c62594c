/// The system calls of this package: EINTR is retried, -1 becomes an `Errno`. They stand in the folder of the platform;
/// here is what they take and give.
package enum System {
    package struct SocketPair: ~Copyable {
        let ours: Descriptor
        let theirs: Descriptor

        package consuming func split<Result>(
            _ body: (consuming Descriptor, consuming Descriptor) throws -> Result
        ) rethrows -> Result {
            try body(ours, theirs)
        }
    }

    /// Handles that came with bytes.
    package struct Arrival: ~Copyable {
        let handles: DescriptorList
        /// More were sent than this process has room for; those have been closed.
        package let isTruncated: Bool

        package consuming func takeHandles() -> DescriptorList { handles }
    }

    package enum SocketKind: Sendable {
        case stream, listening, datagram4, datagram6
    }

    package struct Pipe: ~Copyable {
        let reading: Descriptor
        let writing: Descriptor

        package consuming func split<Result>(
            _ body: (_ reading: consuming Descriptor, _ writing: consuming Descriptor) throws -> Result
        ) rethrows -> Result {
            try body(reading, writing)
        }
    }

    package enum PipeContent: Sendable {
        /// There is something to read.
        case bytes
        /// Nothing now; somebody can still write.
        case nothing
        /// Nothing, and nobody can write any more.
        case ended
    }

    package enum FileUse: Sendable {
        case reading, replacing, appending
    }
}
