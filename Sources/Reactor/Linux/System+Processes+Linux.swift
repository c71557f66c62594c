#if os(Linux)
    internal import CLinux
    internal import Glibc
    package import SystemPackage

    extension System {
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
