// The child's side of every workload: `BenchChild <workload>`.

import Fork
import Glibc
import Synchronization

struct Item: Codable {
    var id: Int
    var name = "item"
    /// False in the last item.
    var ok: Bool
}

/// Sends items as fast as the channel takes them. Ids have six digits, so that all peers send the same number of bytes.
@concurrent func sendItems(_ count: Int) async throws {
    for index in 1...count {
        let item = Item(id: 100_000 + index % 900_000, ok: index < count)
        if try !Process.send(item) { try await Process.flush() }
    }
}

func fail(_ reason: String) -> Never {
    let line = Array("BenchChild: \(reason)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    exit(1)
}

Process.onError { fail("\($0)") }

switch CommandLine.arguments.dropFirst().first {
case "round-trip":
    Process.onMessage(of: String.self) { text in
        if text != "ping" { fail("got '\(text)'") }
        try Process.send("pong")
    }
case "to-parent":
    Process.onMessage(of: Int.self) { count in
        Task {
            do { try await sendItems(count) } catch { fail("\(error)") }
        }
    }
case "to-child":
    let sum = Atomic(0)
    Process.onMessage(of: Item.self) { item in
        sum.add(item.id, ordering: .relaxed)
        if !item.ok { try Process.send(sum.exchange(0, ordering: .relaxed)) }
    }
case "handles":
    let sum = Atomic(0)
    Process.onMessage { message in
        // The descriptor is closed with the message.
        if message.handleCount != 1 { fail("a descriptor is missing") }
        let item = try message.decode(Item.self)
        sum.add(item.id, ordering: .relaxed)
        if !item.ok { try Process.send(sum.exchange(0, ordering: .relaxed)) }
    }
default:
    fail("unknown workload")
}
Process.serve()
