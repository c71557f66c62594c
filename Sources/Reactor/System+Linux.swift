#if os(Linux)
    package import CLinux
    internal import Glibc
    package import SystemPackage

    /// The system calls of this package: EINTR is retried, -1 becomes an `Errno`.
    package enum System {
        @inline(__always)
        static func check<Result: FixedWidthInteger>(_ call: () -> Result) throws(Errno) -> Result {
            while true {
                let result = call()
                if result != -1 { return result }
                if errno != EINTR { throw Errno(rawValue: errno) }
            }
        }

        /// Never retried: Linux has released the number even where it reports EINTR.
        package static func close(_ descriptor: CInt) {
            _ = Glibc.close(descriptor)
        }

        package static func duplicate(_ descriptor: CInt, atLeast minimum: CInt) throws(Errno) -> CInt {
            try check { fcntl(descriptor, F_DUPFD_CLOEXEC, minimum) }
        }

        // MARK: Sockets

        package struct SocketPair: ~Copyable {
            let ours: Descriptor
            let theirs: Descriptor

            package consuming func split<Result>(
                _ body: (consuming Descriptor, consuming Descriptor) throws -> Result
            ) rethrows -> Result {
                try body(ours, theirs)
            }
        }

        /// Two connected Unix stream sockets, both close-on-exec.
        package static func socketPair() throws(Errno) -> SocketPair {
            var pair: (CInt, CInt) = (-1, -1)
            _ = try withUnsafeMutableBytes(of: &pair) { bytes throws(Errno) in
                try check { clinux_socketpair(bytes.bindMemory(to: CInt.self).baseAddress) }
            }
            let ours = Descriptor(owning: pair.0)
            let theirs = Descriptor(owning: pair.1)
            return SocketPair(ours: try ours.aboveStandardStreams(), theirs: try theirs.aboveStandardStreams())
        }

        /// Writes what the socket takes at once; never waits, never raises SIGPIPE. The handles, which stay the
        /// caller's, ride with the first byte.
        package static func send(
            _ descriptor: CInt, _ parts: UnsafeBufferPointer<iovec>, handles: UnsafeBufferPointer<CInt>
        ) throws(Errno) -> Int {
            try check {
                clinux_send(descriptor, parts.baseAddress, CInt(parts.count), handles.baseAddress, CInt(handles.count))
            }
        }

        /// Handles that came with bytes.
        package struct Arrival: ~Copyable {
            let handles: DescriptorList
            /// More were sent than this process has room for; those have been closed.
            package let isTruncated: Bool

            package consuming func takeHandles() -> DescriptorList { handles }
        }

        /// Reads what is there; 0 is the end of the stream. Never waits.
        ///
        /// - Parameters:
        ///   - first: where the bytes go that come first; the buffer is for those behind them.
        ///   - takesHandles: whether descriptors that come with the bytes are taken; otherwise they are closed, and
        ///     count as truncated.
        ///   - arrived: called where descriptors came.
        package static func receive(
            _ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer,
            after first: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0),
            takesHandles: Bool, arrived: (consuming Arrival) -> Void
        ) throws(Errno) -> Int {
            try withUnsafeTemporaryAllocation(of: CInt.self, capacity: maximumHandleCount) { numbers throws(Errno) in
                var arrival = clinux_arrival()
                var parts = (
                    iovec(iov_base: first.baseAddress, iov_len: first.count),
                    iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
                )
                let count = try check {
                    withUnsafeBytes(of: &parts) { parts in
                        let parts = parts.assumingMemoryBound(to: iovec.self)[(first.isEmpty ? 1 : 0)...]
                        return clinux_receive(
                            descriptor, UnsafeBufferPointer(rebasing: parts).baseAddress, CInt(parts.count),
                            takesHandles ? numbers.baseAddress : nil, &arrival)
                    }
                }
                if arrival.handle_count > 0 || arrival.truncated {
                    arrived(
                        Arrival(
                            handles: DescriptorList(received: numbers[..<Int(arrival.handle_count)]),
                            isTruncated: arrival.truncated))
                }
                return count
            }
        }

        /// The most descriptors that one call passes.
        package static let maximumHandleCount = Int(CLINUX_MAXIMUM_HANDLES)

        /// A user who may not have more descriptors under way than its limit of open files: what is under way has to be
        /// read first, and nothing tells when that has happened.
        package static let tooManyUnderWay = Errno(rawValue: ETOOMANYREFS)

        /// Ends our direction of the stream; the peer reads the end after all that was written.
        package static func shutdownWriting(_ descriptor: CInt) {
            _ = shutdown(descriptor, CInt(SHUT_WR))
        }

        package enum SocketKind: Sendable {
            case stream, listening, datagram4, datagram6
        }

        /// What kind of socket the descriptor is; nil where it is none, or another.
        package static func socketKind(_ descriptor: CInt) -> SocketKind? {
            switch option(SO_TYPE, of: descriptor) {
            case CInt(SOCK_STREAM.rawValue): return option(SO_ACCEPTCONN, of: descriptor) == 1 ? .listening : .stream
            case CInt(SOCK_DGRAM.rawValue):
                let family = option(SO_DOMAIN, of: descriptor)
                return family == AF_INET ? .datagram4 : family == AF_INET6 ? .datagram6 : nil
            default: return nil
            }
        }

        private static func option(_ name: CInt, of descriptor: CInt) -> CInt? {
            var value: CInt = 0
            var size = socklen_t(MemoryLayout<CInt>.size)
            return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
        }

        package static func isUnixStream(_ descriptor: CInt) -> Bool {
            clinux_is_unix_stream(descriptor)
        }

        /// Waits until the descriptor takes more bytes; false when the time is over first.
        package static func waitUntilWritable(_ descriptor: CInt, milliseconds: CInt) throws(Errno) -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            return try check { poll(&entry, 1, milliseconds) } > 0
        }

        package static func sleep(milliseconds: CInt) {
            poll(nil, 0, milliseconds)
        }

        /// Whether a socket holds anything that could be read. Reads nothing.
        package static func hasBytes(_ descriptor: CInt) -> Bool {
            var byte: UInt8 = 0
            return recv(descriptor, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)) > 0
        }

        // MARK: Descriptors and programs

        /// Whether this process has a descriptor of that number.
        package static func isOpen(_ descriptor: CInt) -> Bool {
            fcntl(descriptor, F_GETFD) != -1
        }

        /// The path of the running program.
        package static func executablePath() -> String? {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
                let count = readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
                guard count > 0 else { return nil }
                return buffer.withMemoryRebound(to: UInt8.self) { String(decoding: $0[..<count], as: UTF8.self) }
            }
        }

        /// The time that the system has been running, in nanoseconds, without what it slept. For what is asked with
        /// every message: the standard library's clock takes several times as long.
        package static var nanoseconds: UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            // Neither is negative.
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }

        /// How many cores this process may use.
        package static var coreCount: Int {
            Int(clinux_core_count())
        }

        /// This process's variables as `NAME=value`, in the environment's order; they need not be UTF-8.
        package static func environment() -> [[UInt8]] {
            var entries: [[UInt8]] = []
            guard var next = clinux_environment() else { return [] }
            while let entry = next.pointee {
                entries.append(UnsafeRawBufferPointer(start: entry, count: strlen(entry)).map { $0 })
                next += 1
            }
            return entries
        }

        // MARK: Accounts

        package static var isRoot: Bool { geteuid() == 0 }

        /// The number and the first group of a user; nil where there is no such user.
        package static func user(named name: String) -> (id: UInt32, group: UInt32)? {
            lookUp { entry, buffer, count, found in getpwnam_r(name, entry, buffer, count, found) }
                .map { ($0.pw_uid, $0.pw_gid) }
        }

        /// The first group of a user; nil where there is no such user.
        package static func firstGroup(ofUser id: UInt32) -> UInt32? {
            lookUp { entry, buffer, count, found in getpwuid_r(id, entry, buffer, count, found) }?.pw_gid
        }

        /// The number of a group; nil where there is no such group.
        package static func group(named name: String) -> UInt32? {
            lookUp { entry, buffer, count, found in getgrnam_r(name, entry, buffer, count, found) }.map {
                (entry: group) in
                entry.gr_gid
            }
        }

        /// Calls a function that wants a buffer of a size that nobody knows.
        private static func lookUp<Entry>(
            _ call: (
                UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int,
                UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
            ) -> CInt
        ) -> Entry? {
            var size = 1024
            while size <= 1 << 20 {
                let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
                let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
                defer {
                    entry.deallocate()
                    buffer.deallocate()
                }
                var found: UnsafeMutablePointer<Entry>?
                switch call(entry, buffer, size, &found) {
                case 0: return found?.pointee
                case ERANGE: size *= 2
                case EINTR: continue
                default: return nil
                }
            }
            return nil
        }

        // MARK: Processes

        /// Waits for a process that is about to end, and reaps it.
        package static func waitUntilReaped(_ process: CInt) {
            var entry = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
            while (try? check { poll(&entry, 1, -1) }) == nil {}
            _ = try? reap(process)
        }

        package static func signalProcess(_ process: CInt, _ signal: CInt) throws(Errno) {
            _ = try check { clinux_pidfd_send_signal(process, signal) }
        }

        /// Signals every process of a group that may be signalled.
        package static func signalGroup(_ group: Int32, _ signal: CInt) throws(Errno) {
            _ = try check { kill(-group, signal) }
        }

        /// How the process ended and what it used, or nil while it runs. Its zombie is gone afterwards.
        package static func reap(_ process: CInt) throws(Errno) -> EndedProcess? {
            let result = try ending(of: process, peek: false)
            guard result.ended else { return nil }
            let status =
                result.signaled
                ? TerminationStatus.signaled(Signal(rawValue: result.value), coreDumped: result.dumped_core)
                : TerminationStatus.exited(code: result.value)
            let usage = ResourceUsage(
                userTime: .microseconds(result.user_microseconds),
                systemTime: .microseconds(result.system_microseconds), peakMemory: Int(result.peak_memory))
            return EndedProcess(status: status, usage: usage)
        }

        /// Whether the process has ended, reaped or not.
        package static func hasEnded(_ process: CInt) -> Bool {
            (try? isZombie(process)) ?? true
        }

        /// Whether the process has ended and waits to be reaped. Throws where it has been reaped.
        package static func isZombie(_ process: CInt) throws(Errno) -> Bool {
            try ending(of: process, peek: true).ended
        }

        private static func ending(of process: CInt, peek: Bool) throws(Errno) -> clinux_exit {
            var result = clinux_exit()
            _ = try check { clinux_reap(process, peek, &result) }
            return result
        }
    }
#endif
