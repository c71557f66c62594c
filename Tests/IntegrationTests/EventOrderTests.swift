import Fork
import Foundation
import Reactor
import TestSupport
import Testing

@Suite("Events: clause 5")
struct EventOrderTests {
    @Test("5: handlers that are attached after everything has happened get all of it, in order")
    func lateHandlers() async throws {
        let messages = (0..<100).map { Recorder.Entry.message(.integer($0)) }
        let end: [Recorder.Entry] = [.disconnect, .exit(.exited(code: 7)), .close]
        var isInOrder = false
        // A consumer is waited for a second long. A busy machine may need longer than that to let the test go on; then
        // the messages come last, and the next child is looked at.
        for _ in 0..<10 where !isInOrder {
            let child = try Fixture.fork("burst", "100", "exit")
            #expect(try await child.waitForExit() == .exited(code: 7))
            let recorder = Recorder(child)
            try await closed(child)
            try await eventually("all messages") { recorder.messages.count == 100 }
            isInOrder = recorder.all == [.spawn] + messages + end
            #expect(
                isInOrder || recorder.all == [.spawn] + end + messages, "\(recorder.all.map { "\($0)".prefix(40) })")
        }
        #expect(isInOrder)
    }

    @Test("5: the exit event comes even where nobody takes the messages, and they are there for who comes later")
    func exitWithoutConsumer() async throws {
        let child = try Fixture.fork("burst", "100", "exit")
        try await within {
            await withCheckedContinuation { continuation in
                child.onExit { _ in continuation.resume() }
            }
        }
        let events = try await allEvents(child)
        #expect(events.count == 104)
        #expect(events.map(\.name).suffix(3) == ["disconnect", "exit", "close"])
        // A second one comes too late for the messages, and still sees the end.
        #expect(try await allEvents(child).map(\.name) == ["spawn", "disconnect", "exit", "close"])
    }

    @Test("5: the disconnect event comes without a consumer, while the child still runs")
    func disconnectWithoutConsumer() async throws {
        let child = try Fixture.raw([], then: "wait")
        let recorder = Locked<[String]>([])
        child.onDisconnect { recorder.withLock { $0.append("disconnect") } }
        child.onExit { _ in recorder.withLock { $0.append("exit") } }
        child.disconnect()
        try await closed(child)
        #expect(recorder.withLock { $0 } == ["disconnect", "exit"])
    }

    @Test("5: every event is told once to each of several handlers, in the order in which they were attached")
    func severalHandlers() async throws {
        let child = try Fixture.fork("echo")
        let calls = Locked<[String]>([])
        for name in ["a", "b"] {
            child.onMessage { message in calls.withLock { $0.append("\(name)\(message)") } }
            child.onExit { _ in calls.withLock { $0.append("\(name) exit") } }
        }
        // Only now does the child have anything to say, so that nobody comes late.
        for number in 0..<3 { try child.enqueue(number) }
        child.disconnect()
        try await closed(child)
        #expect(calls.withLock { $0 } == ["a0", "b0", "a1", "b1", "a2", "b2", "a exit", "b exit"])
    }

    @Test("5: a subscription that is cancelled gets nothing more, and the others do")
    func cancelledSubscription() async throws {
        let child = try Fixture.fork("echo")
        let first = Locked(0)
        let once = Locked<Subscription?>(nil)
        let subscription = child.onMessage { _ in
            first.withLock { $0 += 1 }
            once.withLock { $0 }?.cancel()
        }
        once.withLock { $0 = subscription }
        let recorder = Recorder(child)
        for number in 0..<10 { try child.enqueue(number) }
        child.disconnect()
        try await closed(child)
        #expect(first.withLock { $0 } == 1)
        #expect(recorder.messages.count == 10)
    }

    @Test("5: a handler that throws gives an error event, and stops nothing else")
    func throwingHandler() async throws {
        struct Refusal: Error {}
        let child = try Fixture.fork("echo")
        child.onMessage { _ in throw Refusal() }
        child.onDisconnect { throw Refusal() }
        let causes = Locked<[any Error]>([])
        child.onError { error in causes.withLock { $0.append(error.cause!) } }
        let recorder = Recorder(child)
        for number in 0..<3 { try child.enqueue(number) }
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == [0, 1, 2])
        #expect(recorder.errors == .init(repeating: .handlerFailed, count: 4))
        #expect(causes.withLock { $0.allSatisfy { $0 is Refusal } })
    }

    @Test("5: in the child too, a handler that throws gives an error event there, and the next message is handled")
    func throwingHandlerInTheChild() async throws {
        let child = try Fixture.fork("throw")
        let recorder = Recorder(child)
        try child.enqueue("throw")
        try child.enqueue("next")
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == [["error": "handlerFailed"], "next"])
    }

    @Test("5: messages iterates over all that the child sent, and ends with the disconnect")
    func messagesSequence() async throws {
        let child = try Fixture.fork("burst", "1000", "return")
        let numbers = try await within {
            var numbers: [Int] = []
            for try await number in child.messages(of: Int.self) { numbers.append(number) }
            return numbers
        }
        #expect(numbers == Array(0..<1000))
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("5: an iterator throws for a message of another type and goes on with the next")
    func decodingSequence() async throws {
        let child = try Fixture.fork("echo")
        try child.enqueue("text")
        try child.enqueue(5)
        child.disconnect()
        var numbers = child.messages(of: Int.self).makeAsyncIterator()
        await #expect(throws: DecodingError.self) { _ = try await numbers.next() }
        let second = try await numbers.next()
        let third = try await numbers.next()
        #expect(second == 5)
        #expect(third == nil)
    }

    @Test("5: iteration ends when its task is cancelled")
    func cancelledIteration() async throws {
        let child = try Fixture.fork("echo")
        let task = Task {
            var count = 0
            for await _ in child.messages { count += 1 }
            return count
        }
        task.cancel()
        #expect(try await within { await task.value } == 0)
        child.kill(.kill)
    }

    @Test("5: a child that awaits its messages gets them all, and ends with the disconnect")
    func asyncChild() async throws {
        let child = try Fixture.fork("echo-async")
        let recorder = Recorder(child)
        for number in 0..<500 { try child.enqueue(number) }
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == (0..<500).map { JSON.integer($0) })
        #expect(child.exitStatus == .exited(code: 0))
    }

    @Test("5: handlers run on the loop that the options name, and an actor on that loop shares its thread")
    func injectedLoop() async throws {
        let loop = try MessageLoop(name: "of the test")
        var options = ChildProcess.Options()
        options.messageLoop = loop
        let child = try Fixture.fork("burst", "10", "return", options: options)
        let onLoop = Locked<[Bool]>([])
        child.onMessage { _ in onLoop.withLock { $0.append(loop.isCurrent) } }
        try await closed(child)
        #expect(onLoop.withLock { $0 } == .init(repeating: true, count: 10))
    }
}

extension ChildProcess.Event {
    var name: String {
        switch self {
        case .spawn: "spawn"
        case .message: "message"
        case .error: "error"
        case .disconnect: "disconnect"
        case .exit: "exit"
        case .close: "close"
        }
    }
}
