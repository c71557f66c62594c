#if os(Linux)
    internal import CLinux
    internal import Glibc
    package import SystemPackage

    /// Pipes, and files that become a child's streams.
    extension System {

        /// A pipe whose ends are close-on-exec. Each is an open file of its own: what is set for one is not the
        /// other's.
        package static func pipe() throws(Errno) -> Pipe {
            var pair: (CInt, CInt) = (-1, -1)
            _ = try withUnsafeMutableBytes(of: &pair) { bytes throws(Errno) in
                try check { clinux_pipe(bytes.bindMemory(to: CInt.self).baseAddress) }
            }
            let reading = Descriptor(owning: pair.0)
            let writing = Descriptor(owning: pair.1)
            return Pipe(reading: try reading.aboveStandardStreams(), writing: try writing.aboveStandardStreams())
        }

        /// Reads and writes of this open file wait no more, whoever makes them.
        package static func setNonBlocking(_ descriptor: CInt) throws(Errno) {
            let flags = try check { fcntl(descriptor, F_GETFL) }
            _ = try check { fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
        }

        /// Reads what is there; 0 is the end of the stream.
        package static func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
            try check { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
        }

        /// Writes what the pipe takes; never raises SIGPIPE.
        package static func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
            try check { clinux_write(descriptor, bytes.baseAddress, bytes.count) }
        }

        /// Writes a line to standard error; nothing if that would wait, as for a pipe that nobody empties.
        package static func printError(_ line: String) {
            var entry = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            guard let count = try? check({ poll(&entry, 1, 0) }), count > 0, entry.revents & Int16(POLLOUT) != 0 else {
                return
            }
            var line = line
            _ = line.withUTF8 { try? write(STDERR_FILENO, UnsafeRawBufferPointer($0)) }
        }

        /// What there is at the reading end of a pipe. Reads nothing.
        package static func content(_ descriptor: CInt) -> PipeContent {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard let count = try? check({ poll(&entry, 1, 0) }), count > 0 else { return .nothing }
            return entry.revents & Int16(POLLIN) != 0 ? .bytes : .ended
        }

        package static func openNull() throws(Errno) -> Descriptor {
            try Descriptor(owning: check { open("/dev/null", O_RDWR | O_CLOEXEC) }).aboveStandardStreams()
        }
    }
#endif
