internal import Reactor
internal import SystemPackage

#if canImport(Glibc)
    internal import CLinux
#endif

extension WriteBatch {
    /// Writes what the socket takes in one system call, and says how much that was.
    func send(to descriptor: CInt) throws(Errno) -> Int {
        guard let handles = first.handles else {
            return try send(to: descriptor, UnsafeBufferPointer(start: nil, count: 0))
        }
        return try handles.list.withNumbers { numbers throws(Errno) in try send(to: descriptor, numbers) }
    }

    private func send(to descriptor: CInt, _ handles: UnsafeBufferPointer<CInt>) throws(Errno) -> Int {
        // Most batches are one chunk.
        if rest.isEmpty {
            return try first.withPart { part throws(Errno) in
                try withUnsafePointer(to: part) { part throws(Errno) in
                    try System.send(descriptor, UnsafeBufferPointer(start: part, count: 1), handles: handles)
                }
            }
        }
        var parts: [iovec] = []
        parts.reserveCapacity(1 + rest.count)
        return try first.withPart { part throws(Errno) in
            parts.append(part)
            return try Self.collect(rest[...], &parts) { parts throws(Errno) in
                try parts.withUnsafeBufferPointer { parts throws(Errno) in
                    try System.send(descriptor, parts, handles: handles)
                }
            }
        }
    }

    /// Holds every chunk's memory still, one inside the other, until the call has been made.
    private static func collect(
        _ chunks: ArraySlice<Chunk>, _ parts: inout [iovec],
        _ body: ([iovec]) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        guard let chunk = chunks.first else { return try body(parts) }
        return try chunk.withPart { part throws(Errno) in
            parts.append(part)
            return try collect(chunks.dropFirst(), &parts, body)
        }
    }
}

extension Chunk {
    fileprivate func withPart(_ body: (iovec) throws(Errno) -> Int) throws(Errno) -> Int {
        try bytes.withUnsafeBufferPointer { buffer throws(Errno) in
            // The kernel only reads it.
            let start = UnsafeMutableRawPointer(mutating: buffer.baseAddress).map { $0 + range.lowerBound }
            return try body(iovec(iov_base: start, iov_len: range.count))
        }
    }
}
