internal import Reactor
internal import SystemPackage

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
            return try first.withBytes { bytes throws(Errno) in try System.send(descriptor, bytes, handles: handles) }
        }
        var pieces: [UnsafeRawBufferPointer] = []
        pieces.reserveCapacity(1 + rest.count)
        return try first.withBytes { bytes throws(Errno) in
            pieces.append(bytes)
            return try Self.collect(rest[...], &pieces) { pieces throws(Errno) in
                try System.send(descriptor, pieces, handles: handles)
            }
        }
    }

    /// Holds every chunk's memory still, one inside the other, until the call has been made.
    private static func collect(
        _ chunks: ArraySlice<Chunk>, _ pieces: inout [UnsafeRawBufferPointer],
        _ body: ([UnsafeRawBufferPointer]) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        guard let chunk = chunks.first else { return try body(pieces) }
        return try chunk.withBytes { bytes throws(Errno) in
            pieces.append(bytes)
            return try collect(chunks.dropFirst(), &pieces, body)
        }
    }
}

extension Chunk {
    /// What is still to go.
    fileprivate func withBytes(_ body: (UnsafeRawBufferPointer) throws(Errno) -> Int) throws(Errno) -> Int {
        try bytes.withUnsafeBufferPointer { buffer throws(Errno) in
            let start = buffer.baseAddress.map { $0 + range.lowerBound }
            return try body(UnsafeRawBufferPointer(start: start, count: range.count))
        }
    }
}
