internal import JSONCodec
internal import Reactor
internal import SystemPackage

/// Who a child runs as, in numbers.
struct Credentials {
    var user: UInt32?
    var group: UInt32?
    var groups: [UInt32]?

    init(_ options: ChildProcess.Options, path: FilePath) throws {
        let user = try options.user.map { try Self.user($0, path) }
        self.user = user?.id
        group = try options.group.map { try Self.group($0, "group", path) } ?? user?.group
        groups = try options.supplementaryGroups?.map { try Self.group($0, "supplementaryGroups", path) }
        // A child that gives up root's rights must not keep its groups.
        if groups == nil, user != nil || group != nil, System.isRoot { groups = [] }
    }

    private static func user(_ account: ChildProcess.Account, _ path: FilePath) throws -> (id: UInt32, group: UInt32?) {
        switch account {
        case .id(let id): return (id, System.firstGroup(ofUser: id))
        case .name(let name):
            try name.refuseNUL("The user '\(name.excerpt())'")
            guard let found = System.user(named: name) else {
                throw ForkError.notStarted(path, "option user: there is no user '\(name.excerpt())'")
            }
            return (found.id, found.group)
        }
    }

    private static func group(_ account: ChildProcess.Account, _ option: String, _ path: FilePath) throws -> UInt32 {
        switch account {
        case .id(let id): return id
        case .name(let name):
            try name.refuseNUL("The group '\(name.excerpt())'")
            guard let found = System.group(named: name) else {
                throw ForkError.notStarted(path, "option \(option): there is no group '\(name.excerpt())'")
            }
            return found
        }
    }
}
