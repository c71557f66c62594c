import BenchValues
import Fork
import Glibc
import Synchronization

/// How much is done before the clock starts, as a part of what is measured.
let warmUpShare = 10

// MARK: Round trips

/// Sends a ping with each pong, all of it in the handler.
func roundTrips(with child: ChildProcess, count: Int) async throws -> JSON {
    let warmUp = count / warmUpShare
    let times = await withCheckedContinuation { (done: CheckedContinuation<[Int], Never>) in
        let times = Times(capacity: warmUp + count + 1)
        child.onMessage(of: String.self) { text in
            if text != "pong" { fail("got '\(text)'") }
            if let all = times.add(now()) { done.resume(returning: all) } else { try child.send("ping") }
        }
        do { try child.send("ping") } catch { fail("\(error)") }
    }
    return summary(ofAnswersAt: Array(times.dropFirst(warmUp)))
}

/// The same with a sequence: sends a ping, and waits for the pong.
@concurrent func asyncRoundTrips(with child: ChildProcess, count: Int) async throws -> JSON {
    let warmUp = count / warmUpShare
    var times: [Int] = []
    times.reserveCapacity(warmUp + count + 1)
    try await child.send("ping")
    for try await text in child.messages(of: String.self) {
        if text != "pong" { fail("got '\(text)'") }
        times.append(now())
        if times.count == warmUp + count + 1 { break }
        try await child.send("ping")
    }
    return summary(ofAnswersAt: Array(times.dropFirst(warmUp)))
}

/// Sends a ping every so many microseconds, from a thread of its own; how much of a core both processes take for that
/// and the answers.
func paced(_ child: ChildProcess, count: Int, interval: Int) async throws -> JSON {
    child.onMessage(of: String.self) { text in
        if text != "pong" { fail("got '\(text)'") }
    }
    let start = (now(), processorTime())
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        Thread.start {
            for _ in 0..<count {
                do { try child.enqueue("ping") } catch { fail("\(error)") }
                usleep(UInt32(interval))
            }
            done.resume()
        }
    }
    let (wall, own) = (now() - start.0, processorTime() - start.1)
    try await end(child)
    guard let usage = child.resourceUsage else { fail("the child's processor time is unknown") }
    let seconds = own + (usage.userTime + usage.systemTime) / .seconds(1)
    return ["cpu": .double(seconds / Double(wall) * 1e11)]
}

/// Times that are gathered until there are enough.
private final class Times: Sendable {
    private let capacity: Int
    private let times = Mutex<[Int]>([])

    init(capacity: Int) {
        self.capacity = capacity
        times.withLock { $0.reserveCapacity(capacity) }
    }

    /// All of them, once the last one has been added.
    func add(_ time: Int) -> [Int]? {
        times.withLock { times in
            times.append(time)
            return times.count == capacity ? times : nil
        }
    }
}

// MARK: One way

/// The child sends as many items as it is asked for; the clock stops when the last one has been handled here.
func itemsToParent(from child: ChildProcess, count: Int) async throws -> JSON {
    let (sums, continuation) = AsyncStream.makeStream(of: (sum: Int, end: Int).self)
    let sum = Sum()
    child.onMessage(of: Item.self) { item in
        sum.value.add(item.id, ordering: .relaxed)
        if !item.ok { continuation.yield((sum.value.exchange(0, ordering: .relaxed), now())) }
    }
    var arrived = sums.makeAsyncIterator()
    var result = JSON.null
    for count in [max(count / warmUpShare, 1), count] {
        let start = now()
        try await child.send(count)
        guard let (sum, end) = await arrived.next(), sum == Item.sumOfIDs(count) else { fail("an item is missing") }
        result = rate(count, from: start, to: end)
    }
    return result
}

private final class Sum: Sendable {
    let value = Atomic(0)
}

/// Sends items as fast as the channel takes them; the clock stops when the child's answer to the last one is here.
func itemsToChild(_ child: ChildProcess, count: Int) async throws -> JSON {
    var answers = child.messages(of: Int.self).makeAsyncIterator()
    var result = JSON.null
    for count in [max(count / warmUpShare, 1), count] {
        let start = now()
        for index in 1...count {
            let item = Item(index, of: count)
            if try !child.send(item) { try await child.flush() }
        }
        guard try await answers.next() == Item.sumOfIDs(count) else { fail("an item is missing") }
        result = rate(count, from: start, to: now())
    }
    return result
}

/// Threads that send items to one child at the same time, each its share of them, as fast as they can; the queue takes
/// all of them. The clock stops when the last has been queued, and then the child's answer has to say that all came.
func itemsFromSenders(to child: ChildProcess, count: Int, senders: Int) async throws -> JSON {
    var answers = child.messages(of: Int.self).makeAsyncIterator()
    var result = JSON.null
    for count in [max(count / warmUpShare / senders, 1) * senders, count / senders * senders] {
        // Before the threads begin: how many items come.
        try await child.send(count)
        let start = now()
        let (ends, sent) = AsyncStream<Void>.makeStream()
        for number in 0..<senders {
            Thread.start {
                do {
                    for index in 1...(count / senders) {
                        try child.enqueue(Item(number * (count / senders) + index, of: count))
                    }
                    sent.yield()
                } catch { fail("\(error)") }
            }
        }
        var iterator = ends.makeAsyncIterator()
        for _ in 0..<senders { _ = await iterator.next() }
        result = rate(count, from: start, to: now())
        guard try await answers.next() == Item.sumOfIDs(count) else { fail("an item is missing") }
    }
    return result
}

// MARK: Descriptors

/// Sends items with a descriptor each, as fast as the channel takes them; the child closes what it gets.
func handlesToChild(_ child: ChildProcess, count: Int) async throws -> JSON {
    var answers = child.messages(of: Int.self).makeAsyncIterator()
    var result = JSON.null
    for count in [max(count / warmUpShare, 1), count] {
        let start = now()
        for index in 1...count {
            let item = Item(index, of: count)
            // What is queued holds its descriptors, and there are only so many.
            if try !child.send(item, handles: Handles(duplicating: .standardError)) || index.isMultiple(of: 100) {
                try await child.flush()
            }
        }
        guard try await answers.next() == Item.sumOfIDs(count) else { fail("an item is missing") }
        result = rate(count, from: start, to: now())
    }
    return result
}
