#if os(Linux)
    internal import CLinux
    internal import Glibc
    internal import SystemPackage

    typealias SystemEventQueue = EpollQueue

    /// An epoll instance, and the eventfd that interrupts its wait. All is edge-triggered: otherwise a closed peer
    /// would be reported for ever (EPOLLHUP).
    final class EpollQueue: EventQueue {
        private let epoll: Descriptor
        private let wakeUp: Descriptor
        private static let wakeUpToken = UInt64.max
        /// As many as lie on the stack without an allocation; what else there is comes with the next wait.
        private static let eventsPerWait = 80

        init() throws(Errno) {
            epoll = try Descriptor(owning: Self.check(epoll_create1(CInt(EPOLL_CLOEXEC)))).aboveStandardStreams()
            wakeUp = try Descriptor(owning: Self.check(eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))))
                .aboveStandardStreams()
            try control(EPOLL_CTL_ADD, wakeUp.rawValue, EPOLLIN.rawValue | EPOLLET.rawValue, Self.wakeUpToken)
        }

        func add(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno) {
            try control(EPOLL_CTL_ADD, descriptor, interest.epollEvents, token)
        }

        func modify(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno) {
            try control(EPOLL_CTL_MOD, descriptor, interest.epollEvents, token)
        }

        func remove(_ descriptor: CInt) {
            try? control(EPOLL_CTL_DEL, descriptor, 0, 0)
        }

        func interrupt() {
            // The counter is never read: each write is an edge of its own.
            eventfd_write(wakeUp.rawValue, 1)
        }

        func wait(
            milliseconds: CInt, woken: (_ count: Int) -> Void, _ body: (_ token: UInt64, Readiness) -> Void
        ) {
            withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsPerWait) { events in
                // EINTR is one of the ways to return early; the caller's next turn waits again.
                let count = epoll_wait(epoll.rawValue, events.baseAddress, CInt(events.count), milliseconds)
                // Nothing can be waited for any more, and to go on would take all of a processor for ever.
                if count == -1, errno != EINTR {
                    let reason = Errno(rawValue: errno)
                    fatalError("\(reason): this program has closed the descriptor that a message loop waits with")
                }
                woken(Int(count))
                guard count > 0 else { return }
                for event in events[..<Int(count)] where event.data.u64 != Self.wakeUpToken {
                    body(event.data.u64, Readiness(epollEvents: event.events))
                }
            }
        }

        private func control(_ operation: CInt, _ target: CInt, _ events: UInt32, _ token: UInt64) throws(Errno) {
            var event = epoll_event(events: events, data: epoll_data_t(u64: token))
            _ = try Self.check(epoll_ctl(epoll.rawValue, operation, target, &event))
        }

        private static func check(_ result: CInt) throws(Errno) -> CInt {
            if result == -1 { throw Errno(rawValue: errno) }
            return result
        }
    }

    extension Interest {
        fileprivate var epollEvents: UInt32 {
            switch self {
            case .reading: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
            case .readingAndWriting: EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
            // An end that is met meanwhile is reported all the same, by the kernel's rule.
            case .nothing: EPOLLONESHOT.rawValue
            case .readingOnce: EPOLLIN.rawValue | EPOLLONESHOT.rawValue
            case .writingOnce: EPOLLOUT.rawValue | EPOLLONESHOT.rawValue
            }
        }
    }

    extension Readiness {
        fileprivate init(epollEvents events: UInt32) {
            self = []
            if events & EPOLLIN.rawValue != 0 { insert(.readable) }
            if events & (EPOLLOUT.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { insert(.writable) }
            if events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { insert(.peerClosed) }
        }
    }
#endif
