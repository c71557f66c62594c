import Fork
import Foundation
import TestSupport
import Testing

@Suite("Bounded memory: clause 7", .serialized)
struct BoundsTests {
    @Test("7: to a stopped child a parent can send up to its limit; send says when to slow down, and then refuses")
    func stoppedChild() async {
        // In a process of its own, whose memory is of this test alone.
        await #expect(processExitsWith: .success) {
            var options = ChildProcess.Options()
            options.highWaterMark = 1 << 20
            options.queueLimit = 8 << 20
            let child = try Fixture.fork("echo", options: options)
            #expect(child.kill(.stop))
            let before = Probe.residentMemory
            let body = String(repeating: "x", count: 100_000)
            var accepted = 0
            var slow = 0
            var refusal: ForkError?
            for _ in 0..<10_000 {
                do {
                    if try !child.enqueue(body) { slow += 1 }
                    accepted += 1
                } catch let error as ForkError {
                    refusal = error
                    break
                }
            }
            #expect(refusal?.code == .queueFull)
            #expect(refusal?.message.hasPrefix("A message of 100002 bytes was not queued: ") == true)
            #expect(accepted < 100)
            #expect(slow > 50)
            #expect(Probe.residentMemory - before < 64 << 20)
            // What was refused was not queued: exactly what was accepted comes back.
            #expect(child.kill(.continue))
            let count = accepted
            let echoed = try await within {
                var echoed = 0
                for await message in child.messages {
                    if message.json == .string(body) { echoed += 1 }
                    if echoed == count { child.disconnect() }
                }
                return echoed
            }
            #expect(echoed == accepted)
        }
    }

    @Test("7: a consumer that is slow stops the child, through the kernel, and loses nothing")
    func slowConsumer() async {
        // In a process of its own, whose memory is of this test alone.
        await #expect(processExitsWith: .success) {
            let before = Probe.residentMemory
            let child = try Fixture.fork("flood", "2000", "100000")
            var messages = child.messages.makeAsyncIterator()
            let first = await messages.next()
            #expect(first != nil)
            // 200 MB are on their way; with nobody reading, the child has to wait with them.
            try await Task.sleep(for: .milliseconds(500))
            #expect(Probe.residentMemory - before < 32 << 20)
            #expect(child.exitStatus == nil)
            var count: Int64 = 1
            while let message = await messages.next() {
                #expect(message.json["number"] == .integer(count))
                count += 1
            }
            #expect(count == 2000)
            #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        }
    }

    @Test("7: without a consumer nothing is read, and a child that floods waits")
    func noConsumer() async {
        // In a process of its own, whose memory is of this test alone.
        await #expect(processExitsWith: .success) {
            let before = Probe.residentMemory
            let child = try Fixture.fork("flood", "1000", "100000")
            try await Task.sleep(for: .milliseconds(300))
            #expect(Probe.residentMemory - before < 32 << 20)
            #expect(child.exitStatus == nil)
            let recorder = Recorder(child)
            try await closed(child)
            #expect(recorder.messages.count == 1000)
        }
    }

    @Test("7: an iterator that is given up halfway lets the others go on")
    func abandonedIterator() async throws {
        let child = try Fixture.fork("flood", "500", "10000")
        var count = 0
        do {
            var abandoned = child.messages.makeAsyncIterator()
            let first = await abandoned.next()
            #expect(first != nil)
        }
        for await _ in child.messages { count += 1 }
        #expect(count > 0)
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("an idle child sleeps: no thread of it runs while nothing happens, after a burst of messages too")
    func idle() async throws {
        let child = try Fixture.fork("echo")
        var answers = child.messages.makeAsyncIterator()
        for number in 0..<1000 {
            try await child.send(number)
            _ = await answers.next()
        }
        // The loop may look for more for a moment; then it must be asleep.
        try await Task.sleep(for: .milliseconds(100))
        let before = try Probe.contextSwitches(child.pid)
        try await Task.sleep(for: .milliseconds(500))
        #expect(try Probe.contextSwitches(child.pid) == before)
        #expect(before.count == 1, "a child that serves has one thread")
        child.kill(.kill)
    }

    @Test("7: one message may be as long as the limit says, and none longer; both sides refuse before they send")
    func messageLimit() async throws {
        var options = ChildProcess.Options()
        options.maximumMessageSize = 3 << 20
        let child = try Fixture.fork("echo", options: options)
        // Two quotes make it the limit exactly.
        let longest = String(repeating: "z", count: 3 << 20 - 2)
        var answers = child.messages.makeAsyncIterator()
        try await child.send(longest)
        let answer = await answers.next()
        #expect(answer?.json == .string(longest))
        let error = #expect(throws: ForkError.self) { try child.enqueue(longest + "z") }
        #expect(error?.code == .messageTooLong)
        #expect(throws: ForkError.self) { try child.send(bytes: [UInt8](repeating: 0, count: 3 << 20 + 1)) as Bool }
        child.disconnect()
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }
}
