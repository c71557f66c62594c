// The parent's side of every workload: `BenchParent <workload> <count> <size> [<JavaScript child>]`. Prints what it
// measured as one line of JSON. The size is what one message has of records or of bytes, or how many children or
// threads there are.

import BenchValues
import Fork
import Glibc

guard (4...5).contains(CommandLine.arguments.count), let count = Int(CommandLine.arguments[2]), count > 0,
    let size = Int(CommandLine.arguments[3])
else {
    fail("usage: BenchParent <workload> <count> <size> [<JavaScript child>]")
}
let workload = CommandLine.arguments[1]
do {
    let result =
        switch workload {
        case "start": try await starts(count: count)
        case "idle": try await idleChildren(size)
        case "alive": try await sweeps(over: size, count: count)
        case "many-to-parent": try await manyToParent(size, count: count)
        default: try await withOneChild()
        }
    print(result)
} catch {
    fail("\(error)")
}

func withOneChild() async throws -> JSON {
    let isSending = workload.hasPrefix("send-")
    let kind = isSending ? String(workload.dropFirst(5)) : workload
    let child = try fork(kind, size: size, script: CommandLine.arguments.dropFirst(4).first)
    if let latency = latency(named: workload) { child.messageLoop.latency = latency }
    // A loop that looks for messages would count as processor time of the sender.
    if isSending { child.messageLoop.latency = .efficient }
    let result =
        switch kind {
        case "round-trip", "round-trip-lowest", "round-trip-efficient":
            try await roundTrips(with: child, count: count)
        case "round-trip-async":
            try await withTaskExecutorPreference(child.messageLoop.taskExecutor) {
                try await asyncRoundTrips(with: child, count: count)
            }
        case "paced", "paced-lowest", "paced-efficient": try await paced(child, count: count, interval: size)
        case "round-trip-async-hopping": try await asyncRoundTrips(with: child, count: count)
        case "to-parent", "to-parent-gathered": try await itemsToParent(from: child, count: count)
        case "to-child": try await itemsToChild(child, count: count)
        case "senders": try await itemsFromSenders(to: child, count: count, senders: size)
        case "handles": try await handlesToChild(child, count: count)
        default:
            if let payload = Payload(rawValue: kind) {
                try await payloadsToChild(child, payload, count: count, size: size)
            } else {
                fail("unknown workload '\(workload)'")
            }
        }
    try await end(child)
    return result
}

/// Starts the child's side of a workload.
func fork(_ workload: String, size: Int = 0, script: String? = nil) throws -> ChildProcess {
    let child = try ChildProcess.fork(
        path: script ?? Process.executableDirectory + "/BenchChild", arguments: [workload, String(size)],
        options: script == nil ? .init() : .node(getenv("NODE").map { String(cString: $0) } ?? "node"))
    child.onError { fail("\($0)") }
    return child
}

func end(_ child: ChildProcess) async throws {
    child.disconnect()
    let status = try await child.waitForExit()
    if status != .exited(code: 0) { fail("the child has \(status)") }
}
