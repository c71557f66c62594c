internal import Reactor
internal import SystemPackage

/// The streams of a child, made as its options say: the descriptors that it gets, and this program's ends of the pipes.
struct ChildStreams {
    private(set) var placements: [SpawnRequest.Placement] = []
    private(set) var inputs: [Int32: PipeWriter] = [:]
    private(set) var outputs: [Int32: PipeReader] = [:]

    private let path: FilePath
    private let loop: MessageLoop
    /// Opened once, for all who want it.
    private var null: SharedDescriptor?

    /// - Parameter path: of the program, for what is said when one of them can't be made.
    init(_ options: ChildProcess.Options, path: FilePath, loop: MessageLoop) throws {
        self.path = path
        self.loop = loop
        var later: [(StreamOption, Int32)] = []
        for option in options.streams {
            if case .sameAs(let other) = option.stream { later.append((option, other)) } else { try open(option) }
        }
        for (option, other) in later { try open(option, as: other) }
    }

    /// Only while the child is started: otherwise the end of a pipe would never be seen.
    mutating func closeChildEnds() {
        placements = []
        null = nil
    }

    private mutating func open(_ option: StreamOption) throws {
        switch option.stream {
        // Those of the standard streams are there by themselves, or missing in both.
        case .inherit where !option.isFurther: break
        case .inherit: place(try duplicate(option.number, option), option)
        case .null: place(try openNull(option), option)
        case .pipe: place(try openPipe(option), option)
        case .file(let name, let append):
            let use: System.FileUse = option.isInput ? .reading : append ? .appending : .replacing
            let file = try making(option, "'\(name.abbreviated)': ") { () throws(Errno) in
                SharedDescriptor(try name.openFile(for: use))
            }
            place(file, option)
        case .descriptor(let descriptor): place(try duplicate(descriptor.rawValue, option), option)
        // The channel is placed by itself; the others come later.
        case .channel, .sameAs: break
        }
    }

    /// Makes a stream the same as another, which has been made.
    private mutating func open(_ option: StreamOption, as other: Int32) throws {
        if let placement = placements.first(where: { $0.target == other }) {
            place(placement.descriptor, option)
        } else {
            place(try duplicate(other, option), option)
        }
    }

    private mutating func place(_ descriptor: SharedDescriptor, _ option: StreamOption) {
        placements.append(.init(descriptor, at: option.number))
    }

    private mutating func openNull(_ option: StreamOption) throws -> SharedDescriptor {
        if let null { return null }
        let new = try making(option) { () throws(Errno) in SharedDescriptor(try System.openNull()) }
        null = new
        return new
    }

    private func duplicate(_ number: Int32, _ option: StreamOption) throws -> SharedDescriptor {
        try making(option, "descriptor \(number): ") { () throws(Errno) in
            SharedDescriptor(Descriptor(owning: try System.duplicate(number, atLeast: 3)))
        }
    }

    private mutating func openPipe(_ option: StreamOption) throws -> SharedDescriptor {
        let loop = loop
        do {
            return try System.pipe().split { reading, writing in
                if option.isInput {
                    inputs[option.number] = try PipeWriter(writing, loop: loop)
                    return SharedDescriptor(reading)
                }
                outputs[option.number] = try PipeReader(reading, loop: loop)
                return SharedDescriptor(writing)
            }
        } catch {
            throw failure(option, "", error as? Errno)
        }
    }

    private func making<Result>(
        _ option: StreamOption, _ what: String = "", _ body: () throws(Errno) -> Result
    ) throws -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw failure(option, what, error)
        }
    }

    private func failure(_ option: StreamOption, _ what: String, _ errno: Errno?) -> ForkError {
        let reason = errno.map { "\($0)" } ?? "it can't be made"
        return ForkError.notStarted(path, "option \(option.name): \(what)\(reason)", errno: errno)
    }
}
