import SystemPackage
import Testing

@testable import Reactor

#if canImport(Glibc)
    import Glibc
#endif

extension System.SocketPair {
    /// Both numbers, open until the body is over.
    consuming func held<Result>(_ body: (CInt, CInt) async throws -> Result) async throws -> Result {
        let (ours, theirs) = split { ours, theirs in (ours.take(), theirs.take()) }
        defer {
            System.close(ours)
            System.close(theirs)
        }
        return try await body(ours, theirs)
    }
}

/// Writes one byte.
func write(_ descriptor: CInt) {
    #expect(Glibc.write(descriptor, "x", 1) == 1)
}

func write(_ descriptor: CInt, _ text: String) {
    #expect(Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count)
}

/// Reads, waiting, until the end of a line.
func readLine(_ descriptor: CInt) -> String {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while bytes.last != UInt8(ascii: "\n"), read(descriptor, &byte, 1) == 1 { bytes.append(byte) }
    return String(decoding: bytes, as: UTF8.self)
}

/// Reads what is there.
func drain(_ descriptor: CInt) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT)) > 0 {}
}

/// Reads, waiting, until the end.
func readToEnd(_ descriptor: CInt) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}

/// Undoes close-on-exec.
func makeInheritable(_ descriptor: CInt) {
    #expect(fcntl(descriptor, F_SETFD, 0) == 0)
}

/// Whether this process has children, running or not yet reaped.
func hasChildren() -> Bool {
    var info = siginfo_t()
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0
}

/// Whether a child has ended and has not been reaped.
func isZombie(_ pid: Int32) -> Bool {
    var info = siginfo_t()
    return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == SIGCHLD
}

/// Waits for a child and takes its status, as other code of a program may.
func takeStatus(of pid: Int32) {
    #expect(waitpid(pid, nil, 0) == pid)
}
