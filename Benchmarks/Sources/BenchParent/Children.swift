import BenchValues
import Fork
import Glibc
import Synchronization

/// Starts a child that answers `"ping"`, and waits for its first answer; when that came.
private func startedChild() async throws -> (child: ChildProcess, answered: Int) {
    let child = try fork("round-trip")
    let answered = await withCheckedContinuation { done in
        let handler = child.onMessage(of: String.self) { text in
            if text != "pong" { fail("got '\(text)'") }
            done.resume(returning: now())
        }
        defer { _ = handler }
        do { try child.send("ping") } catch { fail("\(error)") }
    }
    return (child, answered)
}

/// Starts children one after the other: from before the start to the first answer.
func starts(count: Int) async throws -> JSON {
    var times: [Int] = []
    for index in 0..<count + 2 {
        let start = now()
        let (child, answered) = try await startedChild()
        if index >= 2 { times.append(answered - start) }
        try await end(child)
    }
    return percentiles(of: times)
}

/// Two children, then more of them: each time their process numbers are told, and a line of the standard input is
/// awaited, before which somebody else looks at the memory.
func idleChildren(_ count: Int) async throws -> JSON {
    var children: [ChildProcess] = []
    for wanted in [2, 2 + count] {
        while children.count < wanted { children.append(try await startedChild().child) }
        let line = Array("\(JSON.array(children.map { .integer(Int64($0.pid)) }))\n".utf8)
        write(STDOUT_FILENO, line, line.count)
        _ = readLine()
    }
    for child in children { try await end(child) }
    return [:]
}

/// One message to each of many children, and the answers of all: as often as the count says.
func sweeps(over size: Int, count: Int) async throws -> JSON {
    let (sweeps, continuation) = AsyncStream.makeStream(of: Int.self)
    let answers = Atomic(0)
    var children: [ChildProcess] = []
    for _ in 0..<size { children.append(try fork("round-trip")) }
    for child in children {
        child.onMessage(of: String.self) { text in
            if text != "pong" { fail("got '\(text)'") }
            if answers.add(1, ordering: .relaxed).newValue == size {
                answers.store(0, ordering: .relaxed)
                continuation.yield(now())
            }
        }
    }
    var ends = sweeps.makeAsyncIterator()
    var times: [Int] = []
    // The first one waits for the children to start.
    for index in 0...count {
        let start = now()
        for child in children { try child.enqueue("ping") }
        guard let end = await ends.next() else { break }
        if index > 0 { times.append(end - start) }
    }
    for child in children { try await end(child) }
    return percentiles(of: times)
}

/// Children that all send items at once: how fast they come together, and how many had come of the slowest one when the
/// first was through, in percent of its equal share.
func manyToParent(_ size: Int, count: Int) async throws -> JSON {
    let (ends, continuation) = AsyncStream.makeStream(of: (shares: [Int], end: Int).self)
    // The loop calls the handlers of all children, so nobody waits for this lock.
    let state = Mutex((arrived: [Int](repeating: 0, count: size), sum: 0, shares: [Int]?.none, finished: 0))
    var children: [ChildProcess] = []
    for number in 0..<size {
        let child = try fork("to-parent")
        children.append(child)
        child.onMessage(of: Item.self) { item in
            state.withLock { state in
                state.arrived[number] += 1
                state.sum += item.id
                guard !item.ok else { return }
                if state.shares == nil { state.shares = state.arrived }
                state.finished += 1
                guard state.finished == size, let shares = state.shares else { return }
                continuation.yield((shares, now()))
            }
        }
    }
    var result = JSON.null
    var arrived = ends.makeAsyncIterator()
    for count in [max(count / warmUpShare, 1), count] {
        let start = now()
        for child in children { try child.enqueue(count) }
        guard let (shares, end) = await arrived.next(), let slowest = shares.min() else { break }
        let sum = state.withLock { state in
            defer { state = ([Int](repeating: 0, count: size), 0, nil, 0) }
            return state.sum
        }
        if sum != size * Item.sumOfIDs(count) { fail("an item is missing") }
        let equalShare = Double(shares.reduce(0, +)) / Double(size)
        result = rate(size * count, from: start, to: end)
        result["share"] = .double(Double(slowest) / equalShare * 100)
    }
    for child in children { try await end(child) }
    return result
}
