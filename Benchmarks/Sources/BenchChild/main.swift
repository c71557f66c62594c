// The child's side of every workload: `BenchChild <workload> [<size>]`.

import BenchValues
import Fork
import Glibc
import Synchronization

/// Sends items as fast as the channel takes them.
@concurrent func sendItems(_ count: Int) async throws {
    for index in 1...count {
        let item = Item(index, of: count)
        if try !Process.enqueue(item) { try await Process.flush() }
    }
}

/// Answers each ping out of a sequence.
@Sendable func answerPings() async throws {
    for try await text in Process.messages(of: String.self) {
        if text != "ping" { fail("got '\(text)'") }
        try await Process.send("pong")
    }
}

/// Takes as many messages as the first one says, and answers with the sum of their checksums. The first message of all
/// is compared whole.
func addUp(_ payload: Payload, size: Int) {
    let state = Mutex((expected: 0, sum: 0, isCompared: false))
    Process.onMessage { message in
        let sum = try state.withLock { state -> Int? in
            guard state.expected > 0 else {
                state.expected = try message.decode(Int.self)
                return nil
            }
            state.sum += try payload.checksum(of: message, size: size, isCompared: !state.isCompared)
            state.isCompared = true
            state.expected -= 1
            guard state.expected == 0 else { return nil }
            defer { state.sum = 0 }
            return state.sum
        }
        if let sum { try Process.send(sum) }
    }
}

func fail(_ reason: String) -> Never {
    let line = Array("BenchChild: \(reason)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    exit(1)
}

Process.onError { fail("\($0)") }

switch CommandLine.arguments.dropFirst().first {
case "round-trip", "round-trip-lowest", "round-trip-efficient", "paced", "paced-lowest", "paced-efficient":
    if let latency = latency(named: CommandLine.arguments[1]) { Process.latency = latency }
    Process.onMessage(of: String.self) { text in
        if text != "ping" { fail("got '\(text)'") }
        try Process.send("pong")
    }
case "round-trip-async":
    do { try Process.serve(answerPings) } catch { fail("\(error)") }
case "round-trip-async-hopping":
    // Not on the main actor: its thread serves.
    Task.detached {
        do { try await answerPings() } catch { fail("\(error)") }
    }
case "to-parent":
    Process.onMessage(of: Int.self) { count in
        Task {
            do { try await sendItems(count) } catch { fail("\(error)") }
        }
    }
case "to-parent-gathered":
    Process.onMessage(of: Int.self) { count in
        for index in 1...count { try Process.send(Item(index, of: count)) }
    }
case "to-child":
    let sum = Atomic(0)
    Process.onMessage(of: Item.self) { item in
        sum.add(item.id, ordering: .relaxed)
        if !item.ok { try Process.send(sum.exchange(0, ordering: .relaxed)) }
    }
case "senders":
    addUp(.items, size: 0)
case "handles":
    let sum = Atomic(0)
    Process.onMessage { message in
        // The descriptor is closed with the message.
        if message.handleCount != 1 { fail("a descriptor is missing") }
        let item = try message.decode(Item.self)
        sum.add(item.id, ordering: .relaxed)
        if !item.ok { try Process.send(sum.exchange(0, ordering: .relaxed)) }
    }
case let name?:
    let size = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) }
    guard let payload = Payload(rawValue: name), let size else { fail("unknown workload '\(name)'") }
    addUp(payload, size: size)
case nil:
    fail("there is no workload")
}
Process.serve()
