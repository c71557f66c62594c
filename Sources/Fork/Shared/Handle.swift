internal import Messaging
internal import Reactor
public import SystemPackage

/// An open descriptor with one owner: a socket, a file, a pipe. It is closed when the value ends, unless it has been
/// given away or taken out.
public struct Handle: ~Copyable, Sendable {
    private let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Takes an open descriptor over. Nothing else may close it from now on.
    public init(owning descriptor: FileDescriptor) {
        self.descriptor = Descriptor(owning: descriptor.rawValue)
    }

    /// Makes a duplicate, marked close-on-exec; the descriptor itself stays the caller's.
    ///
    /// - Throws: ``ForkError`` with the code `system` if the descriptor is not open, or this process has none left.
    public init(duplicating descriptor: FileDescriptor) throws {
        self.descriptor = Descriptor(owning: try Handles.duplicate(descriptor))
    }

    /// The descriptor, to be used while this value lives, and not to be closed.
    public var fileDescriptor: FileDescriptor { FileDescriptor(rawValue: descriptor.rawValue) }

    /// Gives the descriptor up without closing it: whoever calls this has to.
    public consuming func take() -> FileDescriptor {
        FileDescriptor(rawValue: descriptor.take())
    }

    consuming func takeDescriptor() -> Descriptor { descriptor }
}

/// Open descriptors that travel with a message: any that the kernel passes, up to 253.
///
/// Like ``Handle`` it owns them. To give a descriptor away, make it of the descriptor itself; to keep it too, of a
/// duplicate:
///
/// ```swift
/// try worker.send("serve", handles: Handles(owning: connection))
/// try worker.send("listen", handles: try Handles(duplicating: listener))
/// ```
public struct Handles: ~Copyable, Sendable {
    private var list: DescriptorList

    init(_ list: consuming DescriptorList) {
        self.list = list
    }

    /// None; see ``append(_:)``.
    public init() {
        list = DescriptorList()
    }

    /// Takes open descriptors over. Nothing else may close them from now on.
    public init(owning descriptors: FileDescriptor...) {
        list = DescriptorList(owning: descriptors.map(\.rawValue))
    }

    /// Makes duplicates, marked close-on-exec; the descriptors themselves stay the caller's.
    ///
    /// - Throws: ``ForkError`` with the code `system` if one is not open, or this process has none left.
    public init(duplicating descriptors: FileDescriptor...) throws {
        self.init()
        for descriptor in descriptors { append(try Handle(duplicating: descriptor)) }
    }

    public var count: Int { list.count }
    public var isEmpty: Bool { list.isEmpty }

    public mutating func append(_ handle: consuming Handle) {
        list.append(handle.takeDescriptor())
    }

    /// Removes the first, and returns it; nil if there is none.
    public mutating func popFirst() -> Handle? {
        guard let descriptor = list.popFirst() else { return nil }
        return Handle(descriptor)
    }

    consuming func takeList() -> DescriptorList { list }

    fileprivate static func duplicate(_ descriptor: FileDescriptor) throws -> CInt {
        do throws(Errno) {
            return try System.duplicate(descriptor.rawValue, atLeast: 3)
        } catch {
            throw ForkError(
                .system, "The descriptor \(descriptor.rawValue) can't be duplicated: \(error)", errno: error)
        }
    }
}
