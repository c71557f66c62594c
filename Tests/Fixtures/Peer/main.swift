// The program that Protocols/conformance/README.md describes: it sends back what it is sent. With the argument `node`
// it plays the part of that page for the Node dialect.

import Fork
import Glibc

let isUnderNode = CommandLine.arguments.contains("node")

func variable(_ name: String) -> JSON {
    getenv(name).map { .string(String(cString: $0)) } ?? .null
}

func answer(_ question: JSON) throws -> Bool {
    switch question["$ask"] {
    case "environment":
        let nodes: JSON = [variable("NODE_CHANNEL_FD"), variable("NODE_CHANNEL_SERIALIZATION_MODE")]
        try Process.send(["environment": isUnderNode ? nodes : variable("SWIFT_FORK_CHANNEL_FD")] as JSON)
    case "farewell":
        guard case .integer(let count)? = question["count"] else { return false }
        for number in 0..<count { try Process.send(number) }
        if isUnderNode { try Process.send(count) }
        exit(0)
    case "disconnect":
        Process.disconnect()
    default:
        return false
    }
    return true
}

/// Says which error has cost a message; Node has no such word.
func tell(_ error: String) {
    if !isUnderNode { _ = try? Process.send(["$error": error]) }
}

Process.onMessage { message in
    do {
        if let bytes = message.bytes {
            try Process.send(bytes: bytes, handles: message.takeHandles())
        } else if try !answer(message.json) {
            try Process.send(message.json, handles: message.takeHandles())
        }
    } catch let error as ForkError where error.code == .notSupported {
        // A parent that takes no descriptors.
        try Process.send(message.json)
    } catch let error as ForkError where error.code == .messageTooLong {
        tell("\(error.code)")
    }
}
Process.onError { error in
    if error.code == .handlesLost { tell("\(error.code)") }
    if error.code == .invalidMessage, let cause = error.cause as? JSONError { tell("\(cause.code)") }
}
Process.serve()
