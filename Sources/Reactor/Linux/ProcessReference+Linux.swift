#if os(Linux)
    internal import CLinux
    internal import Glibc
    internal import SystemPackage

    typealias SystemProcessReference = ProcessDescriptor

    /// A pidfd, made together with the process, so that it can't be another's. It is readable once the process has
    /// ended.
    struct ProcessDescriptor: ProcessReference, ~Copyable {
        private let descriptor: Descriptor

        init(_ descriptor: consuming Descriptor) {
            self.descriptor = descriptor
        }

        var condition: ProcessCondition {
            guard let result = try? ending(reaps: false) else { return .reaped }
            return result.ended ? .zombie : .running
        }

        func signal(_ signal: Signal) throws(Errno) {
            _ = try System.check { clinux_pidfd_send_signal(descriptor.rawValue, signal.rawValue) }
        }

        func reap() throws(Errno) -> EndedProcess? {
            let result = try ending(reaps: true)
            guard result.ended else { return nil }
            let status =
                result.signaled
                ? TerminationStatus.signaled(Signal(rawValue: result.value), coreDumped: result.dumped_core)
                : TerminationStatus.exited(code: result.value)
            let usage = ResourceUsage(
                userTime: .microseconds(result.user_microseconds),
                systemTime: .microseconds(result.system_microseconds), peakMemory: Int(result.peak_memory))
            return EndedProcess(status: status, usage: usage)
        }

        func waitForEnd() {
            var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            while (try? System.check { poll(&entry, 1, -1) }) == nil {}
        }

        func watch(on loop: MessageLoop, _ handler: @escaping @Sendable () -> Void) throws(Errno) -> MessageLoop.Watch {
            try loop.watch(descriptor.rawValue) { _ in handler() }
        }

        static func signalGroup(_ group: Int32, _ signal: Signal) throws(Errno) {
            _ = try System.check { kill(-group, signal.rawValue) }
        }

        private func ending(reaps: Bool) throws(Errno) -> clinux_exit {
            var result = clinux_exit()
            _ = try System.check { clinux_reap(descriptor.rawValue, !reaps, &result) }
            return result
        }
    }
#endif
