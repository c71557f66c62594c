import Testing

@testable import Reactor

#if canImport(Glibc)
    import Glibc
#endif

/// What a descriptor refers to, whatever its number is.
struct FileID: Equatable, Sendable {
    let device: UInt
    let inode: UInt

    init(_ descriptor: CInt) {
        var status = stat()
        fstat(descriptor, &status)
        device = status.st_dev
        inode = status.st_ino
    }
}

/// A pipe, to be recognized, and to tell whether a copy of its writing end is still open somewhere.
final class TestPipe: Sendable {
    private let reading: Descriptor
    private let writing: Locked<Descriptor?>
    let id: FileID

    init() {
        var ends: [CInt] = [-1, -1]
        precondition(pipe(&ends) == 0)
        // Or what other tests start would have it too.
        for end in ends { precondition(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
        reading = Descriptor(owning: ends[0])
        writing = Locked(Descriptor(owning: ends[1]))
        id = FileID(ends[0])
    }

    /// Copies of the writing end.
    func handles(_ count: Int = 1) throws -> DescriptorList {
        var list = DescriptorList()
        for _ in 0..<count {
            if let copy = try writing.withLock({ try $0?.duplicate() }) { list.append(copy) }
        }
        return list
    }

    /// Whether nobody but this has the writing end, which is given up with the question. A process that is just being
    /// started has a copy for a moment.
    func isOurs() -> Bool {
        writing.withLock { $0 = nil }
        var entry = pollfd(fd: reading.rawValue, events: 0, revents: 0)
        return poll(&entry, 1, 5000) == 1
    }
}
