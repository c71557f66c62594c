#if os(Linux)
    internal import CLinux
    internal import Glibc
    internal import SystemPackage

    /// A start with its descriptors in place, which can be made from any thread.
    final class PreparedSpawn: Sendable {
        struct Result: Sendable {
            var failure: CInt
            var spawned: clinux_spawned
        }

        private let path: FilePath
        private let arguments: [[UInt8]]
        private let environment: [[UInt8]]
        let attributes: SpawnAttributes
        private let descriptors: [clinux_descriptor]
        private let open: [CInt]
        private let kept: [CInt]
        /// Kept open until the start is over.
        private let sources: [SharedDescriptor]
        private let workingDirectory: Descriptor?
        private let workingDirectoryNumber: CInt

        init(
            path: FilePath, arguments: [[UInt8]], environment: [[UInt8]], attributes: SpawnAttributes,
            sources: [SharedDescriptor], targets: [CInt], open: [CInt], kept: [CInt],
            workingDirectory: consuming Descriptor?
        ) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.attributes = attributes
            self.sources = sources
            descriptors = zip(sources, targets).map {
                clinux_descriptor(source: $0.descriptor.rawValue, target: $1)
            }
            self.open = open
            self.kept = kept
            workingDirectoryNumber = workingDirectory?.rawValue ?? -1
            self.workingDirectory = workingDirectory
        }

        /// Tries again for a moment where the program is being written. It may be written no more: a child that another
        /// thread is starting has a copy of every descriptor, the one by which it was written too, until its own exec.
        func spawnWhenWritten() -> Result {
            for _ in 0..<100 {
                let result = spawn()
                if result.failure != ETXTBSY || result.spawned.step != CLINUX_STEP_EXECUTE { return result }
                usleep(1000)
            }
            return spawn()
        }

        private func spawn() -> Result {
            var spawned = clinux_spawned()
            let limits = attributes.resourceLimits.map {
                clinux_limit(resource: $0.resource, soft: $0.soft, hard: $0.hard)
            }
            let groups = attributes.supplementaryGroups ?? []
            let failure = withCStrings(arguments) { arguments in
                withCStrings(environment) { environment in
                    path.withPlatformString { path in
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
            request.new_session = attributes.createsSession
            request.sets_process_group = attributes.processGroup != nil
            request.process_group = attributes.processGroup ?? 0
            request.limits = limits.baseAddress
            request.limit_count = CInt(limits.count)
            request.sets_nice = attributes.nice != nil
            request.nice = attributes.nice ?? 0
            request.groups = groups.baseAddress
            request.group_count = attributes.supplementaryGroups.map { CInt($0.count) } ?? -1
            request.sets_group = attributes.group != nil
            request.group = attributes.group ?? 0
            request.sets_user = attributes.user != nil
            request.user = attributes.user ?? 0
            request.no_new_privileges = attributes.noNewPrivileges
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
#endif
