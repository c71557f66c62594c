import Fork
import Foundation
import TestSupport
import Testing

import class TestSupport.Journal

@testable import Reactor

@Suite("What keeps a child's handlers, and what lets them go")
struct LifetimeTests {
    @Test("9: a child whose handlers refer to it is let go after its close event, and its loop's thread ends")
    func handlersThatReferToTheirChild() async throws {
        final class Marker: Sendable {}
        weak var weakChild: ChildProcess?
        weak var weakMarker: Marker?
        do {
            let marker = Marker()
            var options = ChildProcess.Options()
            options.messageLoop = try MessageLoop(name: "of-a-cycle")
            let child = try Fixture.fork("echo", options: options)
            child.onMessage { _ in withExtendedLifetime(marker) { child.disconnect() } }
            child.onExit { _ in withExtendedLifetime((marker, child)) {} }
            weakChild = child
            weakMarker = marker
            try child.enqueue("once")
            try await closed(child)
        }
        try await eventually("the end of the child's memory") { weakChild == nil && weakMarker == nil }
        try await eventually("the end of the loop's thread") { !Probe.threadNames.contains("of-a-cycle") }
    }

    @Test("9: a loop waits for no consumer of a child to whom nobody refers any more", arguments: ["burst", "echo"])
    func loopOfAnEndedChild(_ behaviour: String) async throws {
        let loop = try MessageLoop(name: "of-nobody")
        weak var weakChild: ChildProcess?
        do {
            var options = ChildProcess.Options()
            options.messageLoop = loop
            let child = try Fixture.fork(behaviour, "10", "return", options: options)
            weakChild = child
            if behaviour == "echo" {
                try child.enqueue("unread")
                child.disconnect()
            }
            _ = try await within { try await child.waitForExit() }
        }
        try await eventually("the end of the child's memory") { weakChild == nil }
        let settled = Journal<Int>()
        loop.execute { loop.execute { settled.append(loop.core.timerCount) } }
        #expect(try await settled.wait(forCount: 1) == [0])
    }

    @Test("5: handlers that are attached after the end are called, though nobody keeps the child")
    func childThatNobodyKeeps() async throws {
        for _ in 0..<5 {
            let recorder = try await lateRecorder()
            // The messages come last where the machine was so busy that they were not waited for.
            try await eventually("all events") { recorder.messages.count == 10 && recorder.all.contains(.close) }
        }
    }

    private func lateRecorder() async throws -> Recorder {
        let child = try Fixture.fork("burst", "10", "return")
        _ = try await child.waitForExit()
        try await Task.sleep(for: .milliseconds(50))
        return Recorder(child)
    }

    @Test("5: what comes after a handler has cancelled itself is there for the next one")
    func handlerThatGivesWay() async throws {
        #expect(try await takenByTwoHandlers(Fixture.fork("burst", "100", "return")) == Array(0..<100) + [-1])
        // Nothing holds the last events of this one back any more but that somebody wants its messages.
        let ended = try Fixture.fork("burst", "100", "return")
        try await closed(ended)
        #expect(try await takenByTwoHandlers(ended) == Array(0..<100) + [-1])
    }

    /// What comes to a handler that cancels itself, and to the one that it attaches; and -1 for the close event.
    private func takenByTwoHandlers(_ child: ChildProcess) async throws -> [Int] {
        let numbers = Locked<[Int]>([])
        let first = Locked<Subscription?>(nil)
        let add: @Sendable (Message) -> Void = { message in
            numbers.withLock { $0.append(message.json.integerValue.map { Int($0) } ?? -2) }
        }
        // On the loop, so that all handlers are there before the first message.
        await withTaskExecutorPreference(child.messageLoop.taskExecutor) {
            child.onClose { numbers.withLock { $0.append(-1) } }
            let subscription = child.onMessage { message in
                add(message)
                first.withLock { $0 }?.cancel()
                child.onMessage(add)
            }
            first.withLock { $0 = subscription }
        }
        try await closed(child)
        return numbers.withLock { $0 }
    }

    @Test("4: a child that stops iterating before the end answers its parent's disconnect all the same")
    func abandonedIteration() async throws {
        let child = try Fixture.fork("break-off")
        let recorder = Recorder(child)
        for number in 0..<10 { try child.enqueue(number) }
        child.disconnect()
        try await eventually("the disconnect event") { recorder.all.last == .disconnect }
        child.kill(.kill)
        try await closed(child)
        #expect(recorder.messages == [0])
    }

    @Test("3: a grandchild that goes on writing holds the exit event back only for what a socket holds")
    func grandchildThatFloods() async throws {
        let child = try Fixture.fork("leave-flood")
        let grandchild = Locked<Int32>(0)
        let flood = Locked(0)
        child.onMessage { message in
            guard let bytes = message.bytes else {
                return grandchild.withLock { $0 = Int32(message.json.integerValue ?? 0) }
            }
            flood.withLock { $0 += bytes.count }
            // Slower than the flood, so that the socket is never empty.
            usleep(200)
        }
        let errors = Journal<ForkError>()
        child.onError { errors.append($0) }
        try await closed(child)
        let pid = grandchild.withLock { $0 }
        #expect(pid > 0)
        if pid > 0 { kill(pid, SIGKILL) }
        #expect(flood.withLock { $0 } > 0)
        // Where it was cut off, that was most likely in the middle of a message.
        #expect(errors.entries.allSatisfy { $0.description.contains("in the middle of a message") })
    }

    @Test("9: a parent whose standard streams are closed, and opened again, does not meet its channel there")
    func withoutStandardStreams() async throws {
        // What it printed before is kept for want of a place, and comes first.
        #expect(try await Fixture.runParent("closed-streams").last == "[1] exited with code 0")
    }
}
