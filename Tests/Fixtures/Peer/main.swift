// The program that Protocols/conformance/README.md describes: it sends back what it is sent.

import Fork
import Glibc

func answer(_ question: JSON) throws -> Bool {
    switch question["$ask"] {
    case "environment":
        let value = getenv("SWIFT_FORK_CHANNEL_FD").map { JSON.string(String(cString: $0)) }
        try Process.send(["environment": value ?? .null] as JSON)
    case "farewell":
        guard case .integer(let count)? = question["count"] else { return false }
        for number in 0..<count { try Process.send(number) }
        exit(0)
    case "disconnect":
        Process.disconnect()
    default:
        return false
    }
    return true
}

Process.onMessage { message in
    do {
        if let bytes = message.bytes {
            try Process.send(bytes: bytes)
        } else if try !answer(message.json) {
            try Process.send(message.json)
        }
    } catch let error as ForkError where error.code == .messageTooLong {
        try Process.send(["$error": .string("\(error.code)")] as JSON)
    }
}
Process.onError { error in
    guard error.code == .invalidMessage, let cause = error.cause as? JSONError else { return }
    _ = try? Process.send(["$error": .string("\(cause.code)")] as JSON)
}
Process.serve()
