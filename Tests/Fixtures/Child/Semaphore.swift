import Glibc

/// A semaphore for threads of this program, which is freed with the last reference to it.
///
/// `@unchecked Sendable`: the pointer never changes, and the C library's functions may be called on it by any thread.
final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() {
        sem_post(semaphore)
    }

    /// Waits for a signal, also if a signal handler interrupts the wait.
    func wait() {
        while sem_wait(semaphore) == -1, errno == EINTR {}
    }
}
