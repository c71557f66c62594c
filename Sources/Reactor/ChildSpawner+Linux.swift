#if os(Linux)
    internal import CLinux
    internal import Glibc
    package import SystemPackage

    /// What to start, with everything resolved: no string holds a NUL, and descriptors are open.
    package struct SpawnRequest: ~Copyable {
        package enum StandardStream: Sendable {
            case inherit, null
        }

        package var path: String
        /// With the program's name first.
        package var arguments: [String]
        /// As `NAME=value`.
        package var environment: [String]
        package var workingDirectory: Descriptor?
        package var input = StandardStream.inherit
        package var output = StandardStream.inherit
        package var error = StandardStream.inherit
        /// The child's end of the channel.
        package var channel: Descriptor

        package init(path: String, arguments: [String], environment: [String], channel: consuming Descriptor) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.channel = channel
        }
    }

    package struct SpawnedProcess: ~Copyable {
        package let pid: Int32
        /// A pidfd; nil where the process ended at once and something else in this program has reaped it already.
        package let handle: Descriptor?

        package consuming func takeHandle() -> Descriptor? {
            handle
        }
    }

    package enum ChildSpawner {
        /// The descriptor number by which a child knows its channel.
        package static let channelNumber: CInt = 3
        /// The variable by which it learns that number.
        package static let channelVariable = CLINUX_CHANNEL_VARIABLE

        /// Starts the program. Where anything fails, nothing of the child remains.
        package static func spawn(_ request: consuming SpawnRequest) throws(Errno) -> SpawnedProcess {
            // Above every number that becomes one of the child's, so that no step overwrites the source of a later one.
            let lowest = channelNumber + 1
            let channel = try request.channel.duplicate(atLeast: lowest)
            let streams = [request.input, request.output, request.error]
            var null: Descriptor?
            if streams.contains(.null) { null = try System.openNull(atLeast: lowest) }
            let nullNumber = null?.rawValue ?? -1
            let standard = streams.map { $0 == .null ? nullNumber : -1 }

            var pid: pid_t = 0
            let failure = withCStrings(request.arguments) { arguments in
                withCStrings(request.environment) { environment in
                    request.path.withCString { path in
                        var spawn = clinux_spawn(
                            path: path, arguments: arguments, environment: environment,
                            working_directory: request.workingDirectory?.rawValue ?? -1,
                            standard: (standard[0], standard[1], standard[2]),
                            channel: channel.rawValue, channel_number: channelNumber)
                        return clinux_spawn(&spawn, &pid)
                    }
                }
            }
            if failure != 0 { throw Errno(rawValue: failure) }
            do {
                return SpawnedProcess(pid: pid, handle: try System.openProcess(pid))
            } catch .noSuchProcess {
                return SpawnedProcess(pid: pid, handle: nil)
            } catch {
                // The child can't be watched. It has just been there and is ours to reap, so its pid is still its own.
                kill(pid, SIGKILL)
                while waitpid(pid, nil, 0) == -1 && errno == EINTR {}
                throw error
            }
        }

        /// The number of this program's channel as its parent gave it, or nil where there was none.
        package static func inheritedChannel() -> String? {
            clinux_channel_descriptor().map { String(cString: $0) }
        }

        private static func withCStrings<Result>(
            _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
        ) -> Result {
            var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
            pointers.append(nil)
            defer { for pointer in pointers { free(pointer) } }
            return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
        }
    }
#endif
