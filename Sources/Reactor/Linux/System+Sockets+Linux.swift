#if os(Linux)
    internal import CLinux
    internal import Glibc
    package import SystemPackage

    extension System {
        /// Two connected Unix stream sockets, both close-on-exec.
        package static func socketPair() throws(Errno) -> SocketPair {
            var pair: (CInt, CInt) = (-1, -1)
            _ = try withUnsafeMutableBytes(of: &pair) { bytes throws(Errno) in
                try check { clinux_socketpair(bytes.bindMemory(to: CInt.self).baseAddress) }
            }
            let ours = Descriptor(owning: pair.0)
            let theirs = Descriptor(owning: pair.1)
            return SocketPair(ours: try ours.aboveStandardStreams(), theirs: try theirs.aboveStandardStreams())
        }

        /// Writes what the socket takes at once; never waits, never raises SIGPIPE. The handles, which stay the
        /// caller's, ride with the first byte.
        package static func send(
            _ descriptor: CInt, _ bytes: UnsafeRawBufferPointer, handles: UnsafeBufferPointer<CInt>
        ) throws(Errno) -> Int {
            var part = iovec(bytes)
            return try check { clinux_send(descriptor, &part, 1, handles.baseAddress, CInt(handles.count)) }
        }

        /// The same with several pieces, as if they were one.
        package static func send(
            _ descriptor: CInt, _ pieces: [UnsafeRawBufferPointer], handles: UnsafeBufferPointer<CInt>
        ) throws(Errno) -> Int {
            try withUnsafeTemporaryAllocation(of: iovec.self, capacity: pieces.count) { parts throws(Errno) in
                for index in pieces.indices { parts.initializeElement(at: index, to: iovec(pieces[index])) }
                return try check {
                    clinux_send(
                        descriptor, parts.baseAddress, CInt(parts.count), handles.baseAddress, CInt(handles.count))
                }
            }
        }

        /// Reads what is there; 0 is the end of the stream. Never waits.
        ///
        /// - Parameters:
        ///   - first: where the bytes go that come first; the buffer is for those behind them.
        ///   - takesHandles: whether descriptors that come with the bytes are taken; otherwise they are closed, and
        ///     count as truncated.
        ///   - arrived: called where descriptors came.
        package static func receive(
            _ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer,
            after first: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0),
            takesHandles: Bool, arrived: (consuming Arrival) -> Void
        ) throws(Errno) -> Int {
            try withUnsafeTemporaryAllocation(of: CInt.self, capacity: maximumHandleCount) { numbers throws(Errno) in
                var arrival = clinux_arrival()
                var parts = (
                    iovec(iov_base: first.baseAddress, iov_len: first.count),
                    iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
                )
                let count = try check {
                    withUnsafeBytes(of: &parts) { parts in
                        let parts = parts.assumingMemoryBound(to: iovec.self)[(first.isEmpty ? 1 : 0)...]
                        return clinux_receive(
                            descriptor, UnsafeBufferPointer(rebasing: parts).baseAddress, CInt(parts.count),
                            takesHandles ? numbers.baseAddress : nil, &arrival)
                    }
                }
                if arrival.handle_count > 0 || arrival.truncated {
                    arrived(
                        Arrival(
                            handles: DescriptorList(received: numbers[..<Int(arrival.handle_count)]),
                            isTruncated: arrival.truncated))
                }
                return count
            }
        }

        /// The most descriptors that one call passes.
        package static let maximumHandleCount = Int(CLINUX_MAXIMUM_HANDLES)

        /// A user who may not have more descriptors under way than its limit of open files: what is under way has to be
        /// read first, and nothing tells when that has happened.
        package static let tooManyUnderWay = Errno(rawValue: ETOOMANYREFS)

        /// Ends our direction of the stream; the peer reads the end after all that was written.
        package static func shutdownWriting(_ descriptor: CInt) {
            _ = shutdown(descriptor, CInt(SHUT_WR))
        }

        /// What kind of socket the descriptor is; nil where it is none, or another.
        package static func socketKind(_ descriptor: CInt) -> SocketKind? {
            switch option(SO_TYPE, of: descriptor) {
            case CInt(SOCK_STREAM.rawValue): return option(SO_ACCEPTCONN, of: descriptor) == 1 ? .listening : .stream
            case CInt(SOCK_DGRAM.rawValue):
                let family = option(SO_DOMAIN, of: descriptor)
                return family == AF_INET ? .datagram4 : family == AF_INET6 ? .datagram6 : nil
            default: return nil
            }
        }

        private static func option(_ name: CInt, of descriptor: CInt) -> CInt? {
            var value: CInt = 0
            var size = socklen_t(MemoryLayout<CInt>.size)
            return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
        }

        package static func isUnixStream(_ descriptor: CInt) -> Bool {
            clinux_is_unix_stream(descriptor)
        }

        /// Waits until the descriptor takes more bytes; false when the time is over first.
        package static func waitUntilWritable(_ descriptor: CInt, milliseconds: CInt) throws(Errno) -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            return try check { poll(&entry, 1, milliseconds) } > 0
        }

        /// Whether a socket holds anything that could be read. Reads nothing.
        package static func hasBytes(_ descriptor: CInt) -> Bool {
            var byte: UInt8 = 0
            return recv(descriptor, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)) > 0
        }
    }

    extension iovec {
        /// The kernel only reads what it is sent.
        fileprivate init(_ bytes: UnsafeRawBufferPointer) {
            self.init(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        }
    }
#endif
