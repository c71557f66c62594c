#if os(Linux)
    internal import CLinux

    /// What ThreadSanitizer has to be told because it can't see it.
    public enum ThreadSanitizer {
        /// Something that it knows a lock by; nil in builds without it.
        static func token() -> UnsafeMutableRawPointer? {
            clinux_tsan_token()
        }

        static func free(_ token: UnsafeMutableRawPointer?) {
            clinux_tsan_free(token)
        }

        public static func acquired(_ token: UnsafeMutableRawPointer) {
            clinux_tsan_acquire(token)
        }

        public static func releases(_ token: UnsafeMutableRawPointer) {
            clinux_tsan_release(token)
        }
    }
#endif
