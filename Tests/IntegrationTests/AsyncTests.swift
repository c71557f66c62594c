import Fork
import Foundation
import Reactor
import TestSupport
import Testing

@Suite("Tasks on a loop")
struct AsyncTests {
    @Test("a task that is served runs on the thread that serves it")
    func servingThread() async throws {
        let child = try Fixture.fork("serve-task")
        var messages = child.messages.makeAsyncIterator()
        for number in 0..<100 {
            try child.enqueue(number)
            let answer = try #require(await messages.next()).json
            #expect(answer == ["was": .integer(Int64(number)), "isMain": true])
        }
        child.disconnect()
        #expect(try await child.waitForExit() == .exited(code: 0))
    }

    @Test("a task that serves in a program that nobody forked ends at once")
    func notForked() async throws {
        let path = Fixture.child
        let status = try await blocking {
            Result {
                let process = Foundation.Process()
                process.executableURL = URL(fileURLWithPath: path)
                process.arguments = ["serve-task"]
                try process.run()
                process.waitUntilExit()
                return process.terminationStatus
            }
        }.get()
        #expect(status == 0)
    }

    @Test("what a task throws is thrown by serve, though the channel is open")
    func thrown() async throws {
        let child = try Fixture.fork("serve-and-throw")
        try child.enqueue("once")
        #expect(try await child.waitForExit() == .exited(code: 7))
    }

    @Test("a task can't be served by a handler, and is served by another thread's serve")
    func served() async throws {
        let child = try Fixture.fork("serve-twice")
        var messages = child.messages.makeAsyncIterator()
        try child.enqueue("first")
        #expect(await messages.next()?.json == ["inHandler": "invalidArgument"])
        // Until the task listens, its sequence gets nothing.
        var answer: JSON?
        while answer?["isMain"] == nil {
            try child.enqueue("again")
            answer = await messages.next()?.json
        }
        #expect(answer == ["isMain": true])
        child.disconnect()
        #expect(try await child.waitForExit() == .exited(code: 0))
    }

    @Test("4: what a served task sends after its parent's disconnect, until it ends, arrives")
    func afterTheEnd() async throws {
        let child = try Fixture.fork("serve-sum")
        for number in 1...3 { try child.enqueue(number) }
        child.disconnect()
        let sums = try await within {
            try await child.messages(of: Int.self).reduce(into: []) { $0.append($1) }
        }
        #expect(sums == [6])
        #expect(try await child.waitForExit() == .exited(code: 0))
    }

    @Test("a thread that serves beside another one's task serves on when that has ended")
    func besideTask() async throws {
        var options = ChildProcess.Options()
        options.timeout = .seconds(60)
        let child = try Fixture.fork("serve-beside-task", options: options)
        var messages = child.messages.makeAsyncIterator()
        #expect(await messages.next()?.json == "begun")
        try child.enqueue("go")
        #expect(await messages.next()?.json == "ended")
        child.disconnect()
        #expect(try await child.waitForExit() == .exited(code: 0))
    }

    @Test("tasks can be served one after the other, whatever thread their last step was on")
    func oneAfterTheOther() async throws {
        let child = try Fixture.fork("serve-elsewhere")
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
    }

    @Test("a task that is served begins on the thread that serves it, also where another drove the loop before")
    func servingThreadFromTheStart() async throws {
        for _ in 0..<10 {
            let child = try Fixture.fork("serve-here")
            try child.enqueue("go")
            #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        }
    }

    @Test("a task of its own on the children's loop leaves the loop as it was when it ends")
    func taskOnTheLoop() async throws {
        let child = try Fixture.fork("echo")
        var messages = child.messages.makeAsyncIterator()
        for number in 0..<3 {
            let isOnLoop = await Task(executorPreference: child.messageLoop.taskExecutor) {
                _ = try? child.enqueue(number)
                return child.messageLoop.isCurrent
            }.value
            #expect(isOnLoop)
            #expect(await messages.next()?.json == .integer(Int64(number)))
        }
        child.disconnect()
        #expect(try await child.waitForExit() == .exited(code: 0))
    }

    @Test("a task that prefers the child's loop takes messages on it, and sends from it without a wait")
    func parentOnTheLoop() async throws {
        let child = try Fixture.fork("echo")
        let loop = child.messageLoop
        try await within {
            try await withTaskExecutorPreference(loop.taskExecutor) {
                var messages = child.messages(of: Int.self).makeAsyncIterator()
                for number in 0..<100 {
                    try await child.send(number)
                    #expect(loop.isCurrent)
                    #expect(try await messages.next() == number)
                    #expect(loop.isCurrent)
                }
            }
        }
        child.disconnect()
        #expect(try await child.waitForExit() == .exited(code: 0))
    }
}
