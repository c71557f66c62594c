#if os(Linux)
    internal import Glibc

    /// What the kernel limits for a process, by its number.
    package enum Resource {
        package static let addressSpace = CInt(RLIMIT_AS.rawValue)
        package static let cpuSeconds = CInt(RLIMIT_CPU.rawValue)
        package static let openFiles = CInt(RLIMIT_NOFILE.rawValue)
        package static let coreSize = CInt(RLIMIT_CORE.rawValue)
        package static let fileSize = CInt(RLIMIT_FSIZE.rawValue)
        /// `RLIMIT_NPROC` is a macro that Swift does not see.
        package static let processes = CInt(__RLIMIT_NPROC.rawValue)
    }
#endif
