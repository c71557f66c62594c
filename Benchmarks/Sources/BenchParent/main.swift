// The parent's side of every workload: `BenchParent <workload> <count> [<JavaScript child>]`. Prints what it measured as one
// line of JSON.

import Fork
import Glibc

guard (3...4).contains(CommandLine.arguments.count), let count = Int(CommandLine.arguments[2]), count > 0 else {
    fail("usage: BenchParent <workload> <count> [<JavaScript child>]")
}
let workload = CommandLine.arguments[1]
do {
    let script = CommandLine.arguments.dropFirst(3).first
    let child = try ChildProcess.fork(
        path: script ?? Process.executableDirectory + "/BenchChild", arguments: [workload],
        options: script == nil ? .init() : .node(getenv("NODE").map { String(cString: $0) } ?? "node"))
    child.onError { fail("\($0)") }
    let result =
        switch workload {
        case "round-trip": try await roundTrips(with: child, count: count)
        case "to-parent": try await itemsToParent(from: child, count: count)
        case "to-child": try await itemsToChild(child, count: count)
        case "handles": try await handlesToChild(child, count: count)
        default: fail("unknown workload '\(workload)'")
        }
    child.disconnect()
    let status = await child.exit
    if status != .exited(code: 0) { fail("the child has \(status)") }
    print(result)
} catch {
    fail("\(error)")
}
