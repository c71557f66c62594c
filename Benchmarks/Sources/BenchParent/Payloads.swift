import BenchValues
import Fork

/// Announces how many messages come and sends them as fast as the channel takes them; the clock stops when the child's
/// answer to the last one is here. What this process takes of the processor for a message is told in microseconds.
func payloadsToChild(_ child: ChildProcess, _ payload: Payload, count: Int, size: Int) async throws -> JSON {
    let expected: (Int) -> Int
    let send: (Int) throws -> Bool
    switch payload {
    case .records:
        var records = Record.array(size)
        expected = { sumOfRecords($0, size) }
        send = { index in
            records[0].id = Item.id(of: index)
            return try child.send(records)
        }
    case .jsonRecords:
        var records = try JSON(encoding: Record.array(size))
        expected = { sumOfRecords($0, size) }
        send = { index in
            records[0]?["id"] = .integer(Int64(Item.id(of: index)))
            return try child.send(records)
        }
    case .string:
        let text = Payload.text(size)
        expected = { $0 * size }
        send = { _ in try child.send(text) }
    case .integers:
        let integers = Payload.integers(size)
        expected = { $0 * integers.reduce(0, +) }
        send = { _ in try child.send(integers) }
    case .items:
        expected = { Item.sumOfIDs($0) }
        send = { index in try child.send(Item(index, of: count)) }
    case .bytes:
        let bytes = Payload.bytes(size)
        expected = { $0 * size }
        send = { _ in try child.send(bytes: bytes) }
    }

    var answers = child.messages(of: Int.self).makeAsyncIterator()
    var result = JSON.null
    for count in [max(count / warmUpShare, 1), count] {
        let start = (time: now(), processor: processorTime())
        try child.enqueue(count)
        for index in 1...count {
            if try !send(index) { try await child.flush() }
        }
        guard try await answers.next() == expected(count) else { fail("a message is missing, or has changed") }
        result = rate(count, from: start.time, to: now())
        result["cpu"] = .double((processorTime() - start.processor) / Double(count) * 1e6)
    }
    return result
}

/// The first record of each message has the id of the message.
private func sumOfRecords(_ count: Int, _ size: Int) -> Int {
    let one = Record.array(size).reduce(0) { $0 + $1.checksum }
    return count * (one - Item.id(of: 1)) + Item.sumOfIDs(count)
}
