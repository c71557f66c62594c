#if os(Linux)
    internal import CLinux
    internal import Glibc
    internal import SystemPackage

    package enum ChildSpawner {
        /// The descriptor number by which a child knows its channel, where nothing else is asked for.
        package static let channelNumber: CInt = 3
        /// The variable by which it learns that number.
        package static let channelVariable = CLINUX_CHANNEL_VARIABLE
        /// The same where Node's dialect is spoken, and how messages are written then.
        package static let nodeChannelVariable = CLINUX_NODE_CHANNEL_VARIABLE
        package static let nodeModeVariable = CLINUX_NODE_MODE_VARIABLE

        /// Starts the program. Where anything fails, nothing of the child remains.
        ///
        /// The signal that tells a child of its parent's end comes when the thread ends that started it, so a child that
        /// wants it is started by a thread that never ends.
        package static func spawn(_ request: consuming SpawnRequest) throws(SpawnError) -> SpawnedProcess {
            let prepared = try prepare(request)
            let result =
                prepared.attributes.parentDeathSignal == nil
                ? prepared.spawnWhenWritten() : try onLastingThread(prepared)
            guard result.failure == 0 else {
                throw SpawnError(step: .init(result.spawned.step), errno: Errno(rawValue: result.failure))
            }
            return SpawnedProcess(pid: result.spawned.pid, handle: aboveStandardStreams(result.spawned.pidfd))
        }

        /// See `Descriptor.aboveStandardStreams`; where there is no other number left, this one has to do.
        private static func aboveStandardStreams(_ number: CInt) -> Descriptor {
            if number <= 2, let other = try? System.duplicate(number, atLeast: 3) {
                System.close(number)
                return Descriptor(owning: other)
            }
            return Descriptor(owning: number)
        }

        /// The number of this program's channel as its parent gave it, or nil where there was none.
        package static func inheritedChannel() -> String? {
            clinux_channel_descriptor().map { String(cString: $0) }
        }

        /// The same where the parent is Node.js, and in which mode it writes its messages.
        package static func inheritedNodeChannel() -> (number: String, mode: String)? {
            clinux_node_channel_descriptor().map { number in
                (String(cString: number), clinux_node_mode().map { String(cString: $0) } ?? "json")
            }
        }

        // MARK: Preparation

        private static func prepare(_ request: consuming SpawnRequest) throws(SpawnError) -> PreparedSpawn {
            do throws(Errno) {
                // Above every number that becomes one of the child's, so that no step overwrites a later one's source.
                let lowest = request.channelNumber + 1
                let channel = try request.channel.duplicate(atLeast: lowest)
                let streams = [request.input, request.output, request.error]
                var null: Descriptor?
                if streams.contains(.null) { null = try System.openNull(atLeast: lowest) }

                var descriptors = [clinux_descriptor(source: channel.rawValue, target: request.channelNumber)]
                let nullNumber = null?.rawValue ?? -1
                for (target, stream) in streams.enumerated() where stream == .null {
                    descriptors.append(clinux_descriptor(source: nullNumber, target: CInt(target)))
                }
                return PreparedSpawn(
                    path: request.path, arguments: request.arguments, environment: request.environment,
                    attributes: request.attributes, descriptors: descriptors,
                    open: Set([0, 1, 2, request.channelNumber] + request.keptDescriptors).sorted(),
                    kept: request.keptDescriptors, channel: channel, null: null,
                    workingDirectory: request.workingDirectory)
            } catch {
                throw SpawnError(step: .start, errno: error)
            }
        }

        // MARK: Threads

        /// Its thread is never let go.
        private static let lasting = Locked<EventLoop?>(nil)

        private static func onLastingThread(_ prepared: PreparedSpawn) throws(SpawnError) -> PreparedSpawn.Result {
            do throws(Errno) {
                let loop = try lasting.withLock { loop throws(Errno) -> EventLoop in
                    if let loop { return loop }
                    let new = try EventLoop(named: "fork-spawn")
                    try new.ensureDriven()
                    loop = new
                    return new
                }
                let gate = Gate()
                let result = Locked<PreparedSpawn.Result?>(nil)
                loop.execute {
                    let outcome = prepared.spawnWhenWritten()
                    result.withLock { $0 = outcome }
                    gate.open()
                }
                gate.wait()
                // Set before the gate was opened.
                return result.withLock { $0! }
            } catch {
                throw SpawnError(step: .start, errno: error)
            }
        }
    }

    /// A start with its descriptors in place, which can be made from any thread.
    private final class PreparedSpawn: Sendable {
        struct Result: Sendable {
            var failure: CInt
            var spawned: clinux_spawned
        }

        private let path: String
        private let arguments: [String]
        private let environment: [[UInt8]]
        let attributes: SpawnAttributes
        private let descriptors: [clinux_descriptor]
        private let open: [CInt]
        private let kept: [CInt]
        private let channel: Descriptor
        private let null: Descriptor?
        private let workingDirectory: Descriptor?
        private let workingDirectoryNumber: CInt

        init(
            path: String, arguments: [String], environment: [[UInt8]], attributes: SpawnAttributes,
            descriptors: [clinux_descriptor], open: [CInt], kept: [CInt], channel: consuming Descriptor,
            null: consuming Descriptor?, workingDirectory: consuming Descriptor?
        ) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.attributes = attributes
            self.descriptors = descriptors
            self.open = open
            self.kept = kept
            self.channel = channel
            self.null = null
            workingDirectoryNumber = workingDirectory?.rawValue ?? -1
            self.workingDirectory = workingDirectory
        }

        /// Tries again for a moment where the program is being written. It may be written no more: a child that another
        /// thread is starting has a copy of every descriptor, the one by which it was written too, until its own exec.
        func spawnWhenWritten() -> Result {
            for _ in 0..<20 {
                let result = spawn()
                if result.failure != ETXTBSY || result.spawned.step != CLINUX_STEP_EXECUTE { return result }
                usleep(1000)
            }
            return spawn()
        }

        private func spawn() -> Result {
            var spawned = clinux_spawned()
            let limits = attributes.limits.map {
                clinux_limit(resource: clinux_resource_number($0.resource.number), soft: $0.soft, hard: $0.hard)
            }
            let groups = attributes.groups ?? []
            let failure = withCStrings(arguments.map { Array($0.utf8) }) { arguments in
                withCStrings(environment) { environment in
                    path.withCString { path in
                        withBuffers(limits, groups) { limits, groups in
                            var request = request(path, arguments, environment, limits, groups)
                            return withBuffers(open, kept) { open, kept in
                                descriptors.withUnsafeBufferPointer { descriptors in
                                    (request.open, request.open_count) = (open.baseAddress, CInt(open.count))
                                    (request.kept, request.kept_count) = (kept.baseAddress, CInt(kept.count))
                                    request.descriptors = descriptors.baseAddress
                                    request.descriptor_count = CInt(descriptors.count)
                                    return clinux_spawn(&request, &spawned)
                                }
                            }
                        }
                    }
                }
            }
            return Result(failure: failure, spawned: spawned)
        }

        /// All but the descriptors.
        private func request(
            _ path: UnsafePointer<CChar>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
            _ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
            _ limits: UnsafeBufferPointer<clinux_limit>, _ groups: UnsafeBufferPointer<UInt32>
        ) -> clinux_spawn {
            var request = clinux_spawn()
            request.path = path
            request.arguments = UnsafePointer(arguments)
            request.environment = UnsafePointer(environment)
            request.working_directory = workingDirectoryNumber
            request.new_session = attributes.startsSession
            request.sets_process_group = attributes.processGroup != nil
            request.process_group = attributes.processGroup ?? 0
            request.limits = limits.baseAddress
            request.limit_count = CInt(limits.count)
            request.sets_nice = attributes.nice != nil
            request.nice = attributes.nice ?? 0
            request.groups = groups.baseAddress
            request.group_count = attributes.groups.map { CInt($0.count) } ?? -1
            request.sets_group = attributes.group != nil
            request.group = attributes.group ?? 0
            request.sets_user = attributes.user != nil
            request.user = attributes.user ?? 0
            request.no_new_privileges = attributes.hasNoNewPrivileges
            request.parent_death_signal = attributes.parentDeathSignal ?? 0
            return request
        }

        private func withCStrings<Result>(
            _ strings: [[UInt8]], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
        ) -> Result {
            var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { string in
                let copy = UnsafeMutablePointer<CChar>.allocate(capacity: string.count + 1)
                for (index, byte) in string.enumerated() { copy[index] = CChar(bitPattern: byte) }
                copy[string.count] = 0
                return copy
            }
            pointers.append(nil)
            defer { for pointer in pointers { pointer?.deallocate() } }
            // Not empty: the last element has just been added.
            return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
        }

        private func withBuffers<First, Second, Result>(
            _ first: [First], _ second: [Second],
            _ body: (UnsafeBufferPointer<First>, UnsafeBufferPointer<Second>) -> Result
        ) -> Result {
            first.withUnsafeBufferPointer { first in
                second.withUnsafeBufferPointer { second in body(first, second) }
            }
        }
    }

    extension SpawnAttributes.Resource {
        fileprivate var number: clinux_resource {
            switch self {
            case .addressSpace: CLINUX_ADDRESS_SPACE
            case .cpuSeconds: CLINUX_CPU_SECONDS
            case .openFiles: CLINUX_OPEN_FILES
            case .coreSize: CLINUX_CORE_SIZE
            case .fileSize: CLINUX_FILE_SIZE
            case .processes: CLINUX_PROCESSES
            }
        }
    }

    extension SpawnError.Step {
        fileprivate init(_ step: clinux_step) {
            switch step {
            case CLINUX_STEP_SESSION: self = .session
            case CLINUX_STEP_PROCESS_GROUP: self = .processGroup
            case CLINUX_STEP_DESCRIPTORS: self = .descriptors
            case CLINUX_STEP_WORKING_DIRECTORY: self = .workingDirectory
            case CLINUX_STEP_LIMITS: self = .limits
            case CLINUX_STEP_NICE: self = .nice
            case CLINUX_STEP_GROUPS: self = .groups
            case CLINUX_STEP_GROUP: self = .group
            case CLINUX_STEP_USER: self = .user
            case CLINUX_STEP_NO_NEW_PRIVILEGES: self = .noNewPrivileges
            case CLINUX_STEP_PARENT_DEATH_SIGNAL: self = .parentDeathSignal
            case CLINUX_STEP_EXECUTE: self = .execute
            default: self = .start
            }
        }
    }
#endif
