#if os(Linux)
    internal import Glibc

    extension ChildProcess.ResourceLimits {
        /// All of them, with the names of the options and the kernel's numbers.
        var all: [(name: String, limit: ChildProcess.Limit?, number: CInt)] {
            [
                ("addressSpace", addressSpace, CInt(RLIMIT_AS.rawValue)),
                ("cpuSeconds", cpuSeconds, CInt(RLIMIT_CPU.rawValue)),
                ("openFiles", openFiles, CInt(RLIMIT_NOFILE.rawValue)),
                ("coreSize", coreSize, CInt(RLIMIT_CORE.rawValue)),
                ("fileSize", fileSize, CInt(RLIMIT_FSIZE.rawValue)),
                // `RLIMIT_NPROC` is a macro that Swift does not see.
                ("processes", processes, CInt(__RLIMIT_NPROC.rawValue)),
            ]
        }
    }
#endif
