#if os(Linux)
    public import Glibc

    /// A value behind a lock of the C library.
    ///
    /// Not the standard library's `Mutex`: that hands the lock over in the kernel when threads meet, so that each of
    /// them waits for a switch of threads at every lock, and eight threads got 38,500 locks a second instead of five
    /// million. Nor does ThreadSanitizer see into it.
    ///
    /// Public, though for this package alone (`Fork` does not hand it on): of what is `package` the compiler inlines
    /// nothing into another module, and each lock would be taken by unspecialized code at 300 instructions.
    @_documentation(visibility: internal)
    public struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
        // The value is only reached under the mutex. Both lie in one piece of memory, and stay there until the end.
        @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
        @usableFromInline let value: UnsafeMutablePointer<Value>

        public init(_ value: consuming sending Value) {
            let alignment = max(MemoryLayout<pthread_mutex_t>.alignment, MemoryLayout<Value>.alignment)
            let offset = MemoryLayout<pthread_mutex_t>.size.roundedUp(to: MemoryLayout<Value>.alignment)
            let memory = UnsafeMutableRawPointer.allocate(
                byteCount: offset + MemoryLayout<Value>.size, alignment: alignment)
            mutex = memory.bindMemory(to: pthread_mutex_t.self, capacity: 1)
            pthread_mutex_init(mutex, nil)
            self.value = (memory + offset).bindMemory(to: Value.self, capacity: 1)
            self.value.initialize(to: value)
        }

        deinit {
            value.deinitialize(count: 1)
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
        }

        /// Calls the body with the value, and nobody else's meanwhile. Continuations are resumed after it has returned,
        /// and system calls are made then, too, unless the lock has to guard the descriptor.
        @inlinable
        @inline(__always)
        public borrowing func withLock<Result: ~Copyable, Failure>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return try body(&value.pointee)
        }
    }

    extension Int {
        fileprivate func roundedUp(to alignment: Int) -> Int {
            (self + alignment - 1) & ~(alignment - 1)
        }
    }
#endif
