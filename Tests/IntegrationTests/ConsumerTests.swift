import Fork
import Reactor
import TestSupport
import Testing

import class TestSupport.Journal

@Suite("Consumers that come and go: clause 5")
struct ConsumerTests {
    @Test("5: a handler that is attached while a message is handled hears the next one")
    func attachedInHandler() async throws {
        let child = try Fixture.fork("burst", "100", "return")
        // All messages are there, to be handled one right after the other.
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        let late = Locked<[JSON]>([])
        child.onMessage { message in
            guard message.json == 0 else { return }
            child.onMessage { message in late.withLock { $0.append(message.json) } }
        }
        try await closed(child)
        #expect(late.withLock { $0 } == (1..<100).map { .integer($0) })
    }

    @Test("5: every answer reaches the handler that was attached before its request, however busy the loop is")
    func attachedBeforeTheRequest() async throws {
        var options = ChildProcess.Options()
        options.messageLoop = try MessageLoop(name: "busy")
        // While its handler runs, most of the requests are sent.
        let busy = try Fixture.fork("flood", "100000", "30000", options: options)
        busy.onMessage { _ in System.sleep(milliseconds: 1) }
        let child = try Fixture.fork("echo", options: options)
        child.onMessage { _ in }
        for number in 0..<200 {
            let answer = Journal<JSON>()
            let subscription = child.onMessage { answer.append($0.json) }
            try child.enqueue(number)
            #expect(try await answer.wait(forCount: 1) == [.integer(Int64(number))])
            subscription.cancel()
        }
        busy.kill(.kill)
        await child.shutdown()
    }

    @Test("5: what an iteration has not taken when it is left stays for the next one, in order", arguments: [50, 1000])
    func leftEarly(_ count: Int64) async throws {
        let child = try Fixture.fork("burst", "\(count)", "return")
        let numbers = try await within {
            var numbers: [Int64] = []
            var wasLast = false
            while !wasLast {
                wasLast = true
                for try await number in child.messages(of: Int64.self) {
                    numbers.append(number)
                    wasLast = false
                    if numbers.count % 7 == 3 { break }
                }
            }
            return numbers
        }
        #expect(numbers == Array(0..<count))
    }

    @Test("5: what an iteration has not taken is there even after the child has ended and everybody has been told")
    func leftBeforeTheEnd() async throws {
        let child = try Fixture.fork("burst", "50", "return")
        var iterator = Optional(child.messages.makeAsyncIterator())
        #expect(await iterator?.next()?.json == 0)
        try await closed(child)
        iterator = nil
        let rest = try await within { await child.messages.reduce(into: []) { $0.append($1.json) } }
        #expect(rest == (1..<50).map { .integer($0) })
    }

    @Test("5: what an iteration has not taken is not told again to others who have heard it")
    func leftBesideOthers() async throws {
        let child = try Fixture.fork("echo")
        let recorder = Recorder(child)
        var iterator = Optional(child.messages.makeAsyncIterator())
        for number in 0..<10 { try child.enqueue(number) }
        #expect(await iterator?.next()?.json == 0)
        try await eventually("all answers") { recorder.messages.count == 10 }
        iterator = nil
        let late = Locked<[JSON]>([])
        child.onMessage { message in late.withLock { $0.append(message.json) } }
        try child.enqueue("last")
        child.disconnect()
        try await closed(child)
        #expect(late.withLock { $0 } == ["last"])
        #expect(recorder.messages.count == 11)
    }

    @Test("5: what two iterations leave at once comes once, in order")
    func twoLeftAtOnce() async throws {
        var options = ChildProcess.Options()
        options.messageLoop = try MessageLoop(name: "held")
        let child = try Fixture.fork("burst", "50", "return", options: options)
        var iterators = [child.messages.makeAsyncIterator(), child.messages.makeAsyncIterator()]
        for number in 0..<3 { #expect(await iterators[0].next()?.json == .integer(Int64(number))) }
        try await closed(child)
        let latch = Latch()
        child.messageLoop.execute { latch.wait() }
        iterators = []
        latch.open()
        let rest = try await within { await child.messages.reduce(into: []) { $0.append($1.json) } }
        // The second iteration had not taken any.
        #expect(rest == (0..<50).map { .integer($0) })
    }

    @Test(
        "5: what an iteration leaves goes to a handler that came while it was there, and to one that comes meanwhile",
        arguments: [false, true])
    func leftToThoseWhoCameLater(_ isAttachedLongBefore: Bool) async throws {
        let child = try Fixture.fork("burst", "50", "return")
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        let first = Journal<JSON>()
        let second = Journal<JSON>()
        for await message in child.messages {
            #expect(message.json == 0)
            // All others are in the iteration's buffer by then. One that is still to come would be heard before them.
            try await closed(child)
            child.onMessage { message in
                first.append(message.json)
                if message.json == 5 { child.onMessage { second.append($0.json) } }
            }
            if isAttachedLongBefore { await turns(of: child.messageLoop, 4) }
            break
        }
        #expect(try await first.wait(forCount: 49) == (1..<50).map { .integer($0) })
        #expect(try await second.wait(forCount: 44) == (6..<50).map { .integer($0) })
    }

    @Test("5: what an iteration leaves while the last event is told goes to a handler that has heard of that")
    func leftDuringTheLastEvent() async throws {
        let child = try Fixture.fork("burst", "50", "return")
        // Touched by the loop only when this task does not any more.
        nonisolated(unsafe) var iterator = Optional(child.messages.makeAsyncIterator())
        #expect(await iterator?.next()?.json == 0)
        try await closed(child)
        let journal = Journal<JSON>()
        child.onMessage { journal.append($0.json) }
        // On the loop, before those go who have heard everything.
        child.onClose { iterator = nil }
        #expect(try await journal.wait(forCount: 49) == (1..<50).map { .integer($0) })
    }

    @Test("5: the last events wait for messages that an iteration has left, as for others that nobody has asked for")
    func leftBeforeTheExit() async throws {
        var isInOrder = false
        // A consumer is waited for a second long, and a busy machine may need longer; then the next child is looked at.
        for _ in 0..<10 where !isInOrder {
            let child = try Fixture.fork("echo")
            let journal = Journal<JSON>()
            child.onExit { _ in journal.append("exit") }
            for number in 0..<10 { try child.enqueue(number) }
            for await _ in child.messages { break }
            child.disconnect()
            _ = try await within { try await child.waitForExit() }
            child.onMessage { journal.append($0.json) }
            let all = try await journal.wait(forCount: 10)
            let messages = (1..<10).map { JSON.integer($0) }
            isInOrder = all == messages + ["exit"]
            #expect(isInOrder || all == ["exit"] + messages)
        }
        #expect(isInOrder)
    }

    @Test("5: an error that an iteration over the events has not taken is told to the next who listens for errors")
    func leftError() async throws {
        let child = try Fixture.raw([0, 0, 0, 1], then: "exit")
        var iterator = Optional(child.events.makeAsyncIterator())
        guard case .spawn = await iterator?.next() else { return #expect(Bool(false), "no spawn event") }
        try await closed(child)
        iterator = nil
        let errors = Journal<ForkError.Code>()
        child.onError { errors.append($0.code) }
        #expect(try await errors.wait(forCount: 1) == [.protocolViolation])
    }

    @Test("5: in the child too, what an iteration has not taken stays for the next one")
    func leftEarlyInTheChild() async throws {
        let child = try Fixture.fork("echo-one-by-one")
        for number in 0..<200 { try child.enqueue(number) }
        child.disconnect()
        let answers = try await within { await child.messages.reduce(into: []) { $0.append($1.json) } }
        #expect(answers == (0..<200).map { .integer($0) })
    }
}

/// Returns when the loop has gone through so many turns.
private func turns(of loop: MessageLoop, _ count: Int) async {
    for _ in 0..<count {
        await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
    }
}
