#if os(Linux)
    internal import CLinux
    internal import Glibc
    internal import SystemPackage

    /// A thread of the operating system, detached.
    enum Thread {
        static var current: UInt { UInt(pthread_self()) }

        /// Starts a thread that takes none of the program's signals: its handlers run where they ran before.
        static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
            var all = sigset_t()
            var before = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_SETMASK, &all, &before)
            defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

            let box = Unmanaged.passRetained(Body(name: name, run: body))
            var thread = pthread_t()
            var attributes = pthread_attr_t()
            pthread_attr_init(&attributes)
            defer { pthread_attr_destroy(&attributes) }
            // A value nested as deep as the codec allows takes 1 MB to decode, and several times that unoptimized.
            pthread_attr_setstacksize(&attributes, 8 << 20)
            let failure = pthread_create(
                &thread, &attributes,
                { argument in
                    // The reference that `passRetained` made, given up here and only here.
                    let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
                    clinux_name_thread(body.name)
                    body.run()
                    return nil
                }, box.toOpaque())
            guard failure == 0 else {
                box.release()
                throw Errno(rawValue: failure)
            }
            pthread_detach(thread)
        }

        private final class Body: Sendable {
            let name: String
            let run: @Sendable () -> Void

            init(name: String, run: @escaping @Sendable () -> Void) {
                self.name = name
                self.run = run
            }
        }
    }

    /// A place to block until somebody says go.
    package final class Latch: @unchecked Sendable {
        // Touched only by pthread calls, which are made for several threads; the flag only under the mutex.
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private var isOpen = false

        package init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(condition, nil)
        }

        deinit {
            pthread_cond_destroy(condition)
            pthread_mutex_destroy(mutex)
            condition.deallocate()
            mutex.deallocate()
        }

        package func open() {
            pthread_mutex_lock(mutex)
            isOpen = true
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }

        package func wait() {
            pthread_mutex_lock(mutex)
            while !isOpen { pthread_cond_wait(condition, mutex) }
            pthread_mutex_unlock(mutex)
        }
    }
#endif
