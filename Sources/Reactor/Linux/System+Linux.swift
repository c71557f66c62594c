#if os(Linux)
    internal import CLinux
    // The C library declares `stdout` as a variable, which nothing here changes.
    @preconcurrency internal import Glibc
    package import SystemPackage

    extension System {
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

        /// Whether this process has a descriptor of that number.
        package static func isOpen(_ descriptor: CInt) -> Bool {
            fcntl(descriptor, F_GETFD) != -1
        }

        package static var processID: Int32 { getpid() }

        /// Calls the body when this program returns from `main` or calls `exit`.
        package static func atExit(_ body: @escaping @convention(c) () -> Void) {
            atexit(body)
        }

        /// Lets the C library write each line of the standard output at once, whatever that is. Only before anything
        /// has been printed.
        package static func lineBuffersOutput() {
            setvbuf(stdout, nil, _IOLBF, 0)
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

        package static func sleep(milliseconds: CInt) {
            poll(nil, 0, milliseconds)
        }
    }
#endif
