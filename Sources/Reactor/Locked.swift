public import Synchronization

/// A value behind a lock: `Mutex`, in a form that ThreadSanitizer understands.
///
/// The sanitizer does not see into the standard library, where a thread waits for a `Mutex` that is taken, and would report
/// a race wherever two threads meet. So it is told of each lock and unlock, in builds for it.
///
/// Public, though for this package alone (`Fork` does not hand it on): of what is `package` the compiler inlines nothing
/// into another module, and each lock would be taken by unspecialized code at 300 instructions.
public struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // The value is only reached under the mutex; the token is never changed.
    public let mutex: Mutex<Value>
    /// What the sanitizer knows this lock by; nil in ordinary builds.
    public let token: UnsafeMutableRawPointer?

    public init(_ value: consuming sending Value) {
        mutex = Mutex(value)
        token = ThreadSanitizer.token()
    }

    deinit {
        ThreadSanitizer.free(token)
    }

    /// Calls the body with the value, and nobody else's meanwhile. Continuations are resumed, and system calls made, after
    /// it has returned.
    @inlinable
    @inline(__always)
    public borrowing func withLock<Result: ~Copyable, Failure>(
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
