// The program that Protocols/conformance/README.md describes: it sends back what it is sent. With the argument `node`
// it plays the part of that page for the Node dialect, and with `parent` and a program the part of a parent.

import Fork
import Glibc

/// The other side, for what is the same in both roles.
enum Peer {
    case parent
    case child(ChildProcess)

    func send(_ value: JSON, handles: consuming Handles = Handles()) throws {
        switch self {
        case .parent: try Process.enqueue(value, handles: handles)
        case .child(let child): try child.enqueue(value, handles: handles)
        }
    }

    func send(bytes: [UInt8], handles: consuming Handles) throws {
        switch self {
        case .parent: try Process.enqueue(bytes: bytes, handles: handles)
        case .child(let child): try child.enqueue(bytes: bytes, handles: handles)
        }
    }

    func disconnect() {
        switch self {
        case .parent: Process.disconnect()
        case .child(let child): child.disconnect()
        }
    }
}

let isUnderNode = CommandLine.arguments.contains("node")

func variable(_ name: String) -> JSON {
    getenv(name).map { .string(String(cString: $0)) } ?? .null
}

func answer(_ question: JSON, _ peer: Peer) throws -> Bool {
    switch question["$ask"] {
    case "environment":
        let nodes: JSON = [variable("NODE_CHANNEL_FD"), variable("NODE_CHANNEL_SERIALIZATION_MODE")]
        try peer.send(["environment": isUnderNode ? nodes : variable("SWIFT_FORK_CHANNEL_FD")])
    case "farewell":
        guard case .integer(let count)? = question["count"] else { return false }
        for number in 0..<count { try peer.send(.integer(number)) }
        if isUnderNode { try peer.send(.integer(count)) }
        exit(0)
    case "disconnect":
        peer.disconnect()
    default:
        return false
    }
    return true
}

/// Says which error has cost a message; Node has no such word.
func tell(_ error: String, _ peer: Peer) {
    if !isUnderNode { try? peer.send(["$error": .string(error)]) }
}

func echo(_ message: Message, _ peer: Peer) throws {
    do {
        if let bytes = message.bytes {
            try peer.send(bytes: bytes, handles: message.takeHandles())
        } else if try !answer(message.json, peer) {
            try peer.send(message.json, handles: message.takeHandles())
        }
    } catch let error as ForkError where error.code == .notSupported {
        // A peer that takes no descriptors.
        try peer.send(message.json)
    } catch let error as ForkError where error.code == .messageTooLong {
        tell("\(error.code)", peer)
    }
}

func hear(_ error: ForkError, _ peer: Peer) {
    if error.code == .handlesLost { tell("\(error.code)", peer) }
    if error.code == .invalidMessage, let cause = error.cause as? JSONError { tell("\(cause.code)", peer) }
}

func serveChild(_ arguments: ArraySlice<String>) throws -> Never {
    var options = ChildProcess.Options()
    options.dialect = isUnderNode ? .node : .native
    let child = try ChildProcess.fork(
        path: arguments.first ?? "", arguments: Array(arguments.dropFirst()), options: options)
    child.onMessage { try echo($0, .child(child)) }
    child.onError { hear($0, .child(child)) }
    child.onClose {
        if case .exited(let code)? = child.exitStatus { exit(code) }
        exit(70)
    }
    while true { pause() }
}

if CommandLine.arguments.dropFirst().first == "parent" {
    try serveChild(CommandLine.arguments.dropFirst(2))
}
Process.onMessage { try echo($0, .parent) }
Process.onError { hear($0, .parent) }
Process.serve()
