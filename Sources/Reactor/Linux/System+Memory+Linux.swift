#if os(Linux)
    internal import Glibc

    extension System {
        /// The size of a page that is always the same, and of those that are worth to be asked for.
        private static let (pageSize, largePageSize) = (4096, 2 << 20)

        /// Asks for large pages where much memory is about to be filled. The page faults of small ones take longer than
        /// the copying of bytes. A hint: the kernel need not follow it.
        package static func adviseLargePages(_ memory: UnsafeMutableRawPointer, count: Int) {
            guard count >= 2 * largePageSize else { return }
            let start = (Int(bitPattern: memory) + pageSize - 1) & ~(pageSize - 1)
            let end = (Int(bitPattern: memory) + count) & ~(pageSize - 1)
            _ = madvise(UnsafeMutableRawPointer(bitPattern: start), end - start, MADV_HUGEPAGE)
        }
    }
#endif
