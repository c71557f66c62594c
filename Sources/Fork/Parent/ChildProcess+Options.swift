public import Reactor
public import SystemPackage

extension ChildProcess {
    /// How a child is started, and how much its channel holds. `docs/options.md` goes through them one by one.
    public struct Options: Sendable {
        // MARK: The program

        /// A program that runs the path, such as a script's interpreter. Default: none, the path itself is run.
        public var interpreter: Interpreter?
        /// What the program finds as its own name, the first of its arguments. Default: the path, or the interpreter's.
        public var argumentZero: String?
        /// The child's environment. Default: this program's.
        public var environment: Environment = .inherit
        /// The directory in which the child starts. Default: this program's.
        public var workingDirectory: FilePath?

        // MARK: Descriptors

        /// The child's standard input. Default: this program's.
        public var standardInput: Stream = .inherit
        /// The child's standard output. Default: this program's.
        public var standardOutput: Stream = .inherit
        /// The child's standard error. Default: this program's.
        public var standardError: Stream = .inherit
        /// What the child reads from further descriptors, by their numbers in the child, 3 to 1023. Default: none.
        public var inputs: [Int32: Stream] = [:]
        /// What the child writes to further descriptors, by their numbers in the child, 3 to 1023. Default: none.
        public var outputs: [Int32: Stream] = [:]
        /// The number of the channel's descriptor in the child, 3 to 1023. A Swift child finds it by itself. Not used
        /// if a standard stream is the channel. Default: 3.
        public var channelDescriptor: Int32 = 3
        /// Further descriptors of this program, above 2, that the child has under the same numbers. Default: none.
        public var inheritedDescriptors: [FileDescriptor] = []

        // MARK: What it is started as

        /// Makes the child the leader of a session of its own, without a terminal, and so of a group. Default: false.
        public var createsSession = false
        /// The process group of the child. Default: this program's.
        public var processGroup: ProcessGroup = .inherit
        /// Ends whatever is left of the child's group, by SIGKILL, as soon as the child has ended: programs that it
        /// started, and that have not left its group. Needs a group of its own, by ``processGroup`` or
        /// ``createsSession``. Default: false.
        public var killsGroupOnExit = false
        /// The user that the child runs as. It gets the user's first group too, if ``group`` names no other, and,
        /// if this program is root's, no supplementary groups but ``supplementaryGroups``. Default: this program's.
        public var user: Account?
        /// The group that the child runs as. Default: that of ``user``, or this program's.
        public var group: Account?
        /// The child's supplementary groups. Default: this program's, or none if ``user`` or ``group`` is set by
        /// root.
        public var supplementaryGroups: [Account]?
        /// What the child may use at most. Default: what this program may.
        public var resourceLimits = ResourceLimits()
        /// The child's niceness, -20 (most favoured) to 19. Default: this program's.
        public var nice: Int32?
        /// Makes sure that neither the child nor its children gain rights from a set-user-ID program. Default: false.
        public var noNewPrivileges = false
        /// The signal that the kernel sends to the child when this program ends, however it ends. It is not passed on
        /// to the child's children, and a child that runs a set-user-ID program loses it. Default: none; the child
        /// hears of this program's end by a disconnect.
        public var parentDeathSignal: Signal?

        // MARK: Its time

        /// How long the child may run; then it is sent ``killSignal``. Default: no limit.
        public var timeout: Duration?
        /// The signal that ends a child whose ``timeout`` is over. Default: SIGTERM.
        public var killSignal: Signal = .terminate

        // MARK: The channel

        /// What is spoken on the channel. Default: ``Dialect/native``. See ``node(_:arguments:)``.
        public var dialect: Dialect = .native

        /// The longest message in bytes, either way; the child is told. At least 65,536, which every
        /// peer takes; in the Node dialect 1024. Default: 64 MiB.
        public var maximumMessageSize: Int = 64 << 20
        /// From how many queued bytes on `send` returns false. Default: 1 MiB.
        public var highWaterMark: Int = 1 << 20
        /// How many bytes are queued at most; `send` throws rather than pass it. A single message is taken by an empty
        /// queue whatever its size. Default: 128 MiB.
        public var queueLimit: Int = 128 << 20
        /// Whether messages of the child may bring handles. If not, the kernel closes what it sends, and the message
        /// is an error. Default: true.
        public var acceptsHandles = true
        /// What becomes of errors that nobody hears. Default: a line on standard error for each of the first sixteen.
        public var unhandledErrors: UnhandledErrors = .print
        /// The loop on which the child's handlers run. Default: one that all children share.
        public var messageLoop: MessageLoop?

        /// Options with every default.
        public init() {}

        /// Options with all three standard streams as pipes: nothing of the child's gets to this program's streams.
        public static var silent: Options {
            var options = Options()
            options.standardInput = .pipe
            options.standardOutput = .pipe
            options.standardError = .pipe
            return options
        }
    }

    /// What a parent and a child speak on their channel. All of ``ChildProcess`` and ``Process`` is the same in both,
    /// but for what the other side can't do.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Dialect: Sendable, Hashable {
        /// What this package speaks, and peers that follow `Protocols/native-v1.md`.
        case native
        /// What stock Node.js speaks with the children of its `child_process.fork`, and Deno and Bun with it: JSON and
        /// no bytes, one handle at a time, numbers as JavaScript has them. `docs/interop.md` says what crosses this
        /// border.
        case node
    }

    /// A program that is given the path of a child as an argument, and runs it.
    public struct Interpreter: Sendable, Hashable {
        /// The interpreter. Without a slash in it, it is searched for in this program's `PATH`.
        public var path: FilePath
        /// What stands between the interpreter's name and the child's path.
        public var arguments: [String]

        public init(_ path: FilePath, arguments: [String] = []) {
            self.path = path
            self.arguments = arguments
        }

        /// The same with a path, or a name, that is text.
        public init(_ path: String, arguments: [String] = []) {
            self.init(FilePath(emptyIfInvalid: path), arguments: arguments)
        }
    }

    /// The variables that a child is given. The variable that names its channel is added to them.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Environment: Sendable {
        /// This program's variables, as they are when the child is started.
        case inherit
        /// This program's variables with changes; nil removes one.
        case inheritUpdating([String: String?])
        /// These variables and no others.
        case custom([String: String])
    }

    /// What a stream of a child is connected to.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Stream: Sendable, Hashable {
        /// The same as this program's descriptor of that number.
        case inherit
        /// `/dev/null`: an input that is at its end, an output that is thrown away.
        case null
        /// A pipe to this program: see ``ChildProcess/standardInput``, ``ChildProcess/standardOutput`` and their like.
        case pipe
        /// A file. An input is read from its beginning; an output creates the file, as far as this program's umask
        /// lets, and replaces what was in it, or appends to it. A relative path starts at this program's working
        /// directory.
        case file(FilePath, append: Bool = false)
        /// A descriptor of this program, which stays the caller's. Its open file is shared: position and flags too.
        case descriptor(FileDescriptor)
        /// The same as another input or output of the child, by its number there: `.sameAs(1)` for the standard error
        /// is `2>&1`. Both share one open file, so neither overwrites the other.
        case sameAs(Int32)
        /// The channel itself, for a child that is started by something that lets only the standard streams through.
        /// One standard stream at most can be it. A Swift child moves it out of the way and reads or writes nothing
        /// there.
        case channel

        /// The same as the case `file`, with a path that is text.
        public static func file(_ path: String, append: Bool = false) -> Stream {
            .file(FilePath(emptyIfInvalid: path), append: append)
        }
    }

    /// The process group of a child.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum ProcessGroup: Sendable, Hashable {
        /// This program's.
        case inherit
        /// One of its own, whose number is the child's.
        case new
        /// One that exists, in this program's session.
        case join(Int32)
    }

    /// A user or a group, by number or by name.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Account: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
        case id(UInt32)
        /// Looked up when the child is started.
        case name(String)

        public init(integerLiteral value: UInt32) {
            self = .id(value)
        }

        public init(stringLiteral value: String) {
            self = .name(value)
        }
    }

    /// What a child may use at most. What is nil is limited as in this program.
    public struct ResourceLimits: Sendable, Hashable {
        /// How large its memory may be, mapped files included, in bytes.
        public var addressSpace: Limit?
        /// How much processor time it may use, in seconds. It is sent SIGXCPU at the soft limit, SIGKILL at the hard
        /// one.
        public var cpuSeconds: Limit?
        /// How many descriptors it may have.
        public var openFiles: Limit?
        /// How large its core dump may be, in bytes; 0 is none.
        public var coreSize: Limit?
        /// How large a file may be that it writes, in bytes.
        public var fileSize: Limit?
        /// How many processes and threads its user may have, counted over all that the user runs. Root is above it.
        public var processes: Limit?

        public init() {}
    }

    /// A limit on a resource: the soft one holds, and the child may raise it up to the hard one.
    public struct Limit: Sendable, Hashable, ExpressibleByIntegerLiteral {
        public var soft: UInt64
        public var hard: UInt64

        public init(soft: UInt64, hard: UInt64) {
            self.soft = soft
            self.hard = hard
        }

        /// One limit that can't be raised.
        public init(_ both: UInt64) {
            self.init(soft: both, hard: both)
        }

        public init(integerLiteral value: UInt64) {
            self.init(value)
        }
    }
}
