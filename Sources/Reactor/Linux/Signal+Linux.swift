#if os(Linux)
    internal import Glibc

    extension Signal {
        /// SIGUSR1
        public static let user1 = Signal(rawValue: SIGUSR1)
        /// SIGUSR2
        public static let user2 = Signal(rawValue: SIGUSR2)
        /// SIGSTOP, which no program can catch.
        public static let stop = Signal(rawValue: SIGSTOP)
        /// SIGCONT
        public static let `continue` = Signal(rawValue: SIGCONT)

        static let names: [Int32: String] = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
            SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
            SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
            SIGCHLD: "SIGCHLD", SIGCONT: "SIGCONT", SIGSTOP: "SIGSTOP", SIGTSTP: "SIGTSTP", SIGTTIN: "SIGTTIN",
            SIGTTOU: "SIGTTOU", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGVTALRM: "SIGVTALRM", SIGSYS: "SIGSYS",
        ]
    }
#endif
