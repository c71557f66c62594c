import TestSupport
import Testing
import Wire

@testable import Reactor

#if canImport(Glibc)
    import Glibc
#endif

/// A peer that speaks in bytes.
final class PlainSocket: Sendable {
    private let number: Locked<CInt?>

    init(_ number: CInt) {
        self.number = Locked(number)
    }

    deinit { close() }

    var rawValue: CInt { number.withLock { $0 ?? -1 } }

    func close() {
        let number = number.withLock { number in
            defer { number = nil }
            return number
        }
        if let number { System.close(number) }
    }

    func shutdownWriting() { System.shutdownWriting(rawValue) }

    /// Writes what fits at once, and says how much that was.
    @discardableResult
    func write(_ bytes: some Collection<UInt8>) -> Int {
        let bytes = Array(bytes)
        return max(0, send(rawValue, bytes, bytes.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)))
    }

    func writeAll(_ bytes: some Collection<UInt8>) {
        #expect(write(bytes) == bytes.count)
    }

    /// A hello of a peer that needs no credit itself and gives as much as is asked for.
    func writeHello(
        messageLimit: Int = 1 << 20, window: Int = Hello.Limits.endlessWindow, ids: Int = 256
    ) throws {
        writeAll(try helloFrame(messageLimit: messageLimit, window: window, ids: ids))
    }

    /// Reads, waiting, that many bytes, or fewer where the stream ends first. Not on a thread of the concurrency pool.
    private static func read(_ number: CInt, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < count {
            let read = recv(number, &buffer, min(buffer.count, count - bytes.count), 0)
            if read <= 0 { break }
            bytes += buffer[..<read]
        }
        return bytes
    }

    func read(_ count: Int) async throws -> [UInt8] {
        try await startReading(count).wait(forCount: 1)[0]
    }

    /// Reads on a thread of its own, which other tests do not hold up.
    func startReading(_ count: Int = .max) throws -> Journal<[UInt8]> {
        let journal = Journal<[UInt8]>()
        let number = rawValue
        try Thread.start(name: "reader") { journal.append(Self.read(number, count)) }
        return journal
    }

    func readToEnd() async throws -> [UInt8] { try await read(.max) }

    /// Reads, waiting, one whole frame: its kind and its body.
    func readFrame() async throws -> (kind: UInt8, body: [UInt8]) {
        let header = try await read(FrameHeader.size)
        try #require(header.count == FrameHeader.size)
        let length = header[..<4].reduce(0) { $0 << 8 | Int($1) }
        return (header[4], try await read(length + 4 - FrameHeader.size))
    }

    /// The same of the next frame that is no credit.
    func readMessage() async throws -> (kind: UInt8, body: [UInt8]) {
        while true {
            let frame = try await readFrame()
            if frame.kind != FrameKind.credit.rawValue { return frame }
        }
    }
}

/// Makes a socket's buffer small, so that writes are cut. The kernel has a minimum of its own.
func setSendBuffer(_ descriptor: CInt, _ size: CInt) {
    var size = size
    #expect(setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size)) == 0)
}

/// A whole frame.
func frame(
    _ kind: FrameKind, _ body: some Sequence<UInt8>, flags: FrameFlags = [], handleCount: Int = 0, id: UInt64 = 0
) -> [UInt8] {
    let body = Array(body)
    let header = FrameHeader(
        kind: kind, flags: flags, handleCount: UInt16(handleCount), id: id, bodyCount: body.count)
    return header.bytes + body
}

func helloFrame(
    messageLimit: Int = 1 << 20, window: Int = Hello.Limits.endlessWindow, ids: Int = 256
) throws -> [UInt8] {
    let limits = Hello.Limits(message: messageLimit, window: window, ids: ids)
    return try Hello(limits: limits, features: [Hello.handlesFeature]).frame()
}

extension PlainSocket {
    /// How much could be read now.
    var bytesAvailable: Int {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        return max(0, recv(rawValue, &buffer, buffer.count, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)))
    }
}

extension PlainSocket {
    /// Writes bytes with descriptors riding along.
    func write(_ bytes: [UInt8], handles: [CInt]) {
        let count = bytes.withUnsafeBytes { bytes in
            handles.withUnsafeBufferPointer { handles in try? System.send(rawValue, bytes, handles: handles) }
        }
        #expect(count == bytes.count)
    }

    /// Reads, without waiting, what comes in one piece, and what rides with it.
    func readPiece(_ capacity: Int = 65_536) throws -> (bytes: [UInt8], handles: [FileID]) {
        var handles: [FileID] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
        defer { buffer.deallocate() }
        let count = try System.receive(rawValue, into: buffer, takesHandles: true) { arrival in
            arrival.takeHandles().withNumbers { numbers in handles = numbers.map { FileID($0) } }
        }
        return (Array(buffer[..<count]), handles)
    }
}
