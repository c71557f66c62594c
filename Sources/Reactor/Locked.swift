package import Synchronization

/// A value behind a lock: `Mutex`, in a form that ThreadSanitizer understands.
///
/// The sanitizer does not see into the standard library, where a thread waits for a `Mutex` that is taken, and would report
/// a race wherever two threads meet. So it is told of each lock and unlock, in builds for it.
package struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // The value is only reached under the mutex; the token is never changed.
    @usableFromInline
    package let mutex: Mutex<Value>
    /// What the sanitizer knows this lock by; nil in ordinary builds.
    @usableFromInline
    package let token: UnsafeMutableRawPointer?

    package init(_ value: consuming sending Value) {
        mutex = Mutex(value)
        token = ThreadSanitizer.token()
    }

    deinit {
        ThreadSanitizer.free(token)
    }

    /// Calls the body with the value, and nobody else's meanwhile. Continuations are resumed, and system calls made, after
    /// it has returned.
    @inlinable
    package borrowing func withLock<Result: ~Copyable, Failure>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        guard let token else { return try mutex.withLock(body) }
        return try mutex.withLock { value throws(Failure) in
            ThreadSanitizer.acquired(token)
            defer { ThreadSanitizer.releases(token) }
            return try body(&value)
        }
    }
}
