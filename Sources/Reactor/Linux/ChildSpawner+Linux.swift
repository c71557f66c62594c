#if os(Linux)
    internal import CLinux
    internal import Glibc
    internal import SystemPackage

    package enum ChildSpawner {
        /// The descriptor number by which a child knows its channel, where nothing else is asked for.
        package static let channelNumber: CInt = 3

        /// Starts the program. Where anything fails, nothing of the child remains.
        ///
        /// The signal that tells a child of its parent's end comes when the thread ends that started it, so a child
        /// that wants it is started by a thread that never ends.
        package static func spawn(_ request: consuming SpawnRequest) throws(SpawnError) -> ProcessHandle {
            let prepared = try prepare(request)
            let result =
                prepared.attributes.parentDeathSignal == nil
                ? prepared.spawnWhenWritten() : try onLastingThread(prepared)
            guard result.failure == 0 else {
                let step = SpawnError.Step(result.spawned.step)
                throw SpawnError(
                    step: step, errno: Errno(rawValue: result.failure),
                    target: step == .descriptors ? result.spawned.target : nil)
            }
            let descriptor = aboveStandardStreams(result.spawned.pidfd)
            return ProcessHandle(pid: result.spawned.pid, ProcessDescriptor(descriptor))
        }

        /// See `Descriptor.aboveStandardStreams`; where there is no other number left, this one has to do.
        private static func aboveStandardStreams(_ number: CInt) -> Descriptor {
            if number <= 2, let other = try? System.duplicate(number, atLeast: 3) {
                System.close(number)
                return Descriptor(owning: other)
            }
            return Descriptor(owning: number)
        }

        // MARK: Preparation

        private static func prepare(_ request: consuming SpawnRequest) throws(SpawnError) -> PreparedSpawn {
            let channel = SpawnRequest.Placement(SharedDescriptor(request.channel), at: request.channelNumber)
            let placements = request.placements + [channel]
            // Not empty: the channel is among them.
            let highest = placements.map(\.target).max()!
            do throws(Errno) {
                // Above every number that becomes one of the child's, so that no step overwrites a later one's source.
                let sources = try placements.map { placement throws(Errno) in
                    let isAbove = placement.descriptor.descriptor.rawValue > highest
                    return isAbove
                        ? placement.descriptor
                        : SharedDescriptor(try placement.descriptor.descriptor.duplicate(atLeast: highest + 1))
                }
                let targets = placements.map(\.target)
                return PreparedSpawn(
                    path: request.path, arguments: request.arguments, environment: request.environment,
                    attributes: request.attributes, sources: sources, targets: targets,
                    open: Set([0, 1, 2] + targets + request.inheritedDescriptors).sorted(),
                    kept: request.inheritedDescriptors, workingDirectory: request.workingDirectory)
            } catch .invalidArgument {
                // The number is beyond this process's limit on descriptors.
                throw SpawnError(step: .descriptors, errno: .invalidArgument, target: highest)
            } catch {
                throw SpawnError(step: .start, errno: error)
            }
        }

        // MARK: Threads

        /// Its thread is never let go.
        private static let lasting = Locked<MessageLoop?>(nil)

        private static func onLastingThread(_ prepared: PreparedSpawn) throws(SpawnError) -> PreparedSpawn.Result {
            do throws(Errno) {
                let loop = try lasting.withLock { loop throws(Errno) -> MessageLoop in
                    if let loop { return loop }
                    let new = try MessageLoop(named: "fork-spawn")
                    try new.ensureDriven()
                    loop = new
                    return new
                }
                let latch = Latch()
                let result = Locked<PreparedSpawn.Result?>(nil)
                loop.execute {
                    let outcome = prepared.spawnWhenWritten()
                    result.withLock { $0 = outcome }
                    latch.open()
                }
                latch.wait()
                // Set before the latch was opened.
                return result.withLock { $0! }
            } catch {
                throw SpawnError(step: .start, errno: error)
            }
        }
    }

    extension SpawnError.Step {
        fileprivate init(_ step: clinux_step) {
            switch step {
            case CLINUX_STEP_SESSION: self = .createsSession
            case CLINUX_STEP_PROCESS_GROUP: self = .processGroup
            case CLINUX_STEP_DESCRIPTORS: self = .descriptors
            case CLINUX_STEP_WORKING_DIRECTORY: self = .workingDirectory
            case CLINUX_STEP_LIMITS: self = .resourceLimits
            case CLINUX_STEP_NICE: self = .nice
            case CLINUX_STEP_GROUPS: self = .supplementaryGroups
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
