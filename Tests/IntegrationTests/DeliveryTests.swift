import Fork
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Delivery: clauses 1 to 4")
struct DeliveryTests {
    // MARK: 1. Order

    @Test("1: ten thousand messages each way arrive in the order in which they were sent")
    func orderBothWays() async throws {
        let child = try Fixture.fork("echo")
        let answers = child.messages(of: Int.self)
        let count = 10_000
        let sender = Task {
            for number in 0..<count { try await child.send(number) }
        }
        let received = try await within {
            var received: [Int] = []
            for try await number in answers {
                received.append(number)
                if received.count == count { break }
            }
            return received
        }
        try await sender.value
        #expect(received == Array(0..<count))
        child.disconnect()
        #expect(try await child.waitForExit() == .exited(code: 0))
    }

    @Test("1: messages that several threads send keep the order of each thread")
    func orderOfThreads() async throws {
        let child = try Fixture.fork("threads", "8", "500")
        let recorder = Recorder(child)
        try await closed(child)
        var next = [Int64](repeating: 0, count: 8)
        for message in recorder.messages {
            guard case .integer(let thread)? = message[0], case .integer(let number)? = message[1] else { continue }
            #expect(next[Int(thread)] == number)
            next[Int(thread)] = number + 1
        }
        #expect(next == [Int64](repeating: 500, count: 8))
    }

    // MARK: 2. Truth

    @Test("2: flush returns when the bytes are in the kernel, so a child that is killed then has lost none")
    func flushIsTrue() async throws {
        let child = try Fixture.fork("burst-killed", "1000")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.messages == (0..<1000).map { JSON.integer($0) })
        #expect(child.exitStatus == .signaled(.kill, coreDumped: false))
    }

    @Test("2: what is sent in a burst is written, though no thread of the child serves")
    func burstWithoutServing() async throws {
        let child = try Fixture.fork("burst-and-hold", "1000")
        let recorder = Recorder(child)
        try await eventually("the last message") { recorder.messages.count == 1000 }
        #expect(recorder.messages == (0..<1000).map { JSON.integer($0) })
        child.kill(.kill)
        try await closed(child)
    }

    @Test("2: flush and the send that waits fail where the child ended before it took the bytes")
    func flushFailsForWhatWasThrownAway() async throws {
        let child = try Fixture.fork("mute")
        let big = String(repeating: "x", count: 4 << 20)
        try child.enqueue(big)
        let flush = Task { try await child.flush() }
        let send = Task { try await child.send(big) }
        child.kill(.kill)
        for task in [flush, send] {
            let error = await #expect(throws: ForkError.self) { try await within { try await task.value } }
            #expect(error?.code == .disconnected)
        }
    }

    @Test("2: a wait for the queue that is cancelled throws, and the message stays in the queue")
    func cancelledFlush() async throws {
        let child = try Fixture.fork("echo")
        #expect(child.kill(.stop))
        let big = String(repeating: "x", count: 4 << 20)
        let task = Task { try await child.send(big) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await within { try await task.value } }
        #expect(child.kill(.continue))
        var answers = child.messages.makeAsyncIterator()
        let answer = await answers.next()
        #expect(answer?.json == .string(big))
        child.kill(.kill)
    }

    // MARK: 3. Nothing lost at exit

    @Test(
        "3: a thousand messages sent right before the child ends arrive before the exit event",
        arguments: ["return", "exit"])
    func burstBeforeTheEnd(_ end: String) async throws {
        let child = try Fixture.fork("burst", "1000", end)
        let recorder = Recorder(child)
        try await closed(child)
        let messages = (0..<1000).map { Recorder.Entry.message(.integer($0)) }
        let status = ChildProcess.ExitStatus.exited(code: end == "exit" ? 7 : 0)
        #expect(recorder.all == [.spawn] + messages + [.disconnect, .exit(status), .close])
    }

    @Test(
        "3: ten messages of a megabyte arrive although the child calls exit right after", arguments: ["exit", "return"])
    func largeBeforeTheEnd(_ end: String) async throws {
        let child = try Fixture.fork("large", "10", "1000000", end)
        let recorder = Recorder(child)
        try await closed(child)
        #expect(
            recorder.messages.compactMap { $0["body"]?.stringValue?.utf8.count }
                == .init(repeating: 1_000_000, count: 10))
        #expect(recorder.all.suffix(3) == [.disconnect, .exit(.exited(code: 0)), .close])
    }

    @Test("3: what a handler sends before it calls exit arrives")
    func exitInHandler() async throws {
        let child = try Fixture.fork("exit-in-handler")
        let recorder = Recorder(child)
        try await child.send("go")
        try await closed(child)
        #expect(recorder.messages == (0..<1000).map { JSON.integer($0) })
        #expect(child.exitStatus == .exited(code: 5))
    }

    @Test("3: a child whose parent does not read ends within its deadline all the same")
    func exitDeadline() async throws {
        let child = try Fixture.fork("hang-on-exit")
        let status = try await within { try await child.waitForExit() }
        #expect(status == .exited(code: 0))
    }

    @Test("3: what the socket did not take leaves while the child computes")
    func queueDrainsInTheBackground() async throws {
        let child = try Fixture.fork("background")
        let messages = child.messages
        try await within {
            for await message in messages where message.json == "all" { break }
        }
        child.kill(.kill)
    }

    // MARK: 4. disconnect flushes

    @Test("4: a hundred messages of 100 KB that the child sent before its disconnect arrive")
    func disconnectOfTheChild() async throws {
        let child = try Fixture.fork("large", "100", "100000", "disconnect")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.messages.map { $0["number"] } == (0..<100).map { JSON.integer($0) })
        #expect(recorder.all.suffix(3) == [.disconnect, .exit(.exited(code: 0)), .close])
    }

    @Test("4: a hundred messages of 100 KB that the parent sent before its disconnect arrive")
    func disconnectOfTheParent() async throws {
        let child = try Fixture.fork("count", "100", "100000")
        let body = JSON.string(String(repeating: "y", count: 100_000))
        for number in 0..<Int64(100) { try child.enqueue(["number": .integer(number), "body": body] as JSON) }
        child.disconnect()
        child.disconnect()
        #expect(!child.isConnected)
        let status = try await within { try await child.waitForExit() }
        #expect(status == .exited(code: 0))
    }

    @Test("4: what the child had on its way when the parent disconnected still arrives")
    func disconnectLetsTheOtherSideFinish() async throws {
        let child = try Fixture.fork("echo")
        let recorder = Recorder(child)
        for number in 0..<1000 { try child.enqueue(number) }
        child.disconnect()
        try await closed(child)
        #expect(recorder.messages == (0..<1000).map { JSON.integer($0) })
    }

    @Test("4: after a disconnect sending throws, and isConnected says so on both sides")
    func sendingAfterDisconnect() async throws {
        let child = try Fixture.fork("state")
        let recorder = Recorder(child)
        try await closed(child)
        #expect(recorder.messages == ["connected"])
        #expect(child.exitStatus == .exited(code: 0))
        #expect(!child.isConnected)
        let error = #expect(throws: ForkError.self) { try child.enqueue("too late") }
        #expect(error?.code == .disconnected)
    }

    @Test(
        "2: what a handler sends arrives while it runs, and where it crashes", arguments: [1, 6, 1000],
        ["stay", "crash"])
    func sendsOfHandler(_ count: Int, _ end: String) async throws {
        let child = try Fixture.fork("send-in-handler", "\(count)", end)
        try child.enqueue("go")
        let numbers = try await within {
            var numbers: [Int] = []
            for try await number in child.messages(of: Int.self).prefix(count) { numbers.append(number) }
            return numbers
        }
        #expect(numbers == Array(0..<count))
        child.kill(.kill)
    }

    @Test("2: a flush that blocks says when its time is over, and what is left still arrives")
    func blockingFlush() async throws {
        let child = try Fixture.fork("echo")
        child.kill(.stop)
        try child.enqueue(bytes: [UInt8](repeating: 1, count: 4 << 20))
        let error = await blocking { #expect(throws: ForkError.self) { try child.flush(within: .milliseconds(50)) } }
        #expect(error?.code == .timedOut)
        child.kill(Signal(rawValue: 18))
        let recorder = Recorder(child)
        try await blocking { Result { try child.flush(within: patience) } }.get()
        child.disconnect()
        try await closed(child)
        #expect(recorder.all.contains(.bytes(4 << 20)))
    }

    @Test("2: a flush that blocks throws when the child is gone with what it waits for")
    func blockingFlushToNobody() async throws {
        let child = try Fixture.fork("mute")
        try child.enqueue(bytes: [UInt8](repeating: 1, count: 4 << 20))
        let flush = Task.detached { try await blocking { Result { try child.flush(within: patience) } }.get() }
        child.kill(.kill)
        let error = await #expect(throws: ForkError.self) { try await within { try await flush.value } }
        #expect(error?.code == .disconnected)
    }
}
