// What this example needs of sockets. A real server has a library for it.

import Fork
import Glibc

/// A socket that listens on a port of this machine, which the kernel chooses.
struct Listener {
    private let socket: FileDescriptor
    let port: UInt16

    init() throws {
        socket = try newSocket()
        var address = loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = try withUnsafeMutablePointer(to: &address) { [socket] pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                try check(bind(socket.rawValue, address, size))
                try check(listen(socket.rawValue, 16))
                try check(getsockname(socket.rawValue, address, &size))
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
    }

    func accept() throws -> FileDescriptor {
        FileDescriptor(rawValue: try check(Glibc.accept(socket.rawValue, nil, nil)))
    }
}

/// A connection to a port of this machine.
struct Client {
    private let socket: FileDescriptor

    init(port: UInt16) throws {
        socket = try newSocket()
        var address = loopback(port: port)
        try withUnsafePointer(to: &address) { [socket] pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = try check(connect(socket.rawValue, address, socklen_t(MemoryLayout<sockaddr_in>.size)))
            }
        }
    }

    func write(_ text: String) throws {
        _ = try check(send(socket.rawValue, text, text.utf8.count, Int32(MSG_NOSIGNAL)))
    }

    /// The text that comes until the other side has closed the connection.
    func readToEnd() throws -> String {
        defer { close(socket.rawValue) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = try check(recv(socket.rawValue, &buffer, buffer.count, 0))
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}

private func newSocket() throws -> FileDescriptor {
    FileDescriptor(rawValue: try check(socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)))
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    return address
}

@discardableResult
private func check<Result: SignedInteger>(_ result: Result) throws -> Result {
    if result == -1 { throw Errno(rawValue: errno) }
    return result
}
