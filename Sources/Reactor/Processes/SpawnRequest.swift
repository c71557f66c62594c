package import SystemPackage

/// What to start, with everything resolved: no string holds a NUL, and descriptors are open.
package struct SpawnRequest: ~Copyable {
    /// A descriptor of this process, and the number that it has in the child.
    package struct Placement: Sendable {
        package let descriptor: SharedDescriptor
        package let target: CInt

        package init(_ descriptor: SharedDescriptor, at target: CInt) {
            self.descriptor = descriptor
            self.target = target
        }
    }

    package var path: FilePath
    /// With the program's name first. None need be UTF-8.
    package var arguments: [[UInt8]]
    /// As `NAME=value`, which need not be UTF-8 either.
    package var environment: [[UInt8]]
    package var workingDirectory: Descriptor?
    /// What the child's descriptors are. A standard stream that is not among them is this process's.
    package var placements: [Placement] = []
    /// The child's end of the channel, and the number by which the child knows it.
    package var channel: Descriptor
    package var channelNumber: CInt = ChildSpawner.channelNumber
    /// Further descriptors of this process that the child has under the same numbers.
    package var inheritedDescriptors: [CInt] = []
    package var attributes = SpawnAttributes()

    package init(path: FilePath, arguments: [[UInt8]], environment: [[UInt8]], channel: consuming Descriptor) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.channel = channel
    }
}

/// What a program is started as. Everything that is nil stays as it is in this process.
package struct SpawnAttributes: Sendable {
    package struct Limit: Sendable {
        /// The kernel's number of what is limited.
        package var resource: CInt
        package var soft: UInt64
        package var hard: UInt64

        package init(resource: CInt, soft: UInt64, hard: UInt64) {
            self.resource = resource
            self.soft = soft
            self.hard = hard
        }
    }

    package var createsSession = false
    /// 0: a group of its own.
    package var processGroup: Int32?
    package var resourceLimits: [Limit] = []
    package var nice: Int32?
    package var supplementaryGroups: [UInt32]?
    package var group: UInt32?
    package var user: UInt32?
    package var noNewPrivileges = false
    package var parentDeathSignal: Int32?

    package init() {}
}

/// Why a program was not started: the step that failed, and what the kernel said.
package struct SpawnError: Error, Equatable {
    /// What sets an attribute has its name.
    package enum Step: String, Sendable {
        case start, createsSession, processGroup, descriptors, workingDirectory, resourceLimits, nice
        case supplementaryGroups, group, user, noNewPrivileges, parentDeathSignal, execute
    }

    package let step: Step
    package let errno: Errno
    /// The number in the child that could not be given, where the step is `descriptors`.
    package let target: CInt?

    package init(step: Step, errno: Errno, target: CInt? = nil) {
        self.step = step
        self.errno = errno
        self.target = target
    }
}
