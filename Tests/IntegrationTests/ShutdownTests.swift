import Fork
import Foundation
import Reactor
import TestSupport
import Testing

import class TestSupport.Journal

@Suite("Ending a child")
struct ShutdownTests {
    /// Stops a child, and returns when it is: a signal that finds it running would end it first.
    private func stop(_ child: ChildProcess) async throws {
        child.kill(.stop)
        try await eventually("the child's stop") { Probe.state(child.pid) == "T" }
    }

    @Test("a child that serves ends by the disconnect, after it has answered everything")
    func byDisconnect() async throws {
        let child = try Fixture.fork("echo")
        let recorder = Recorder(child)
        for number in 0..<100 { try child.enqueue(number) }
        #expect(try await within { await child.shutdown(within: .seconds(40)) } == .disconnect)
        #expect(child.exitStatus == .exited(code: 0))
        try await closed(child)
        #expect(recorder.messages.count == 100)
        #expect(await child.shutdown() == .alreadyEnded)
    }

    @Test("a child that hears of nothing needs SIGTERM")
    func byTermination() async throws {
        let child = try Fixture.fork("mute")
        // Time enough to die of the signal, also on a busy machine.
        #expect(try await within { await child.shutdown(within: .seconds(10)) } == .terminate)
        #expect(child.exitStatus == .signaled(.terminate, coreDumped: false))
    }

    @Test("a child that is stopped needs SIGKILL, and gets it")
    func byKill() async throws {
        let child = try Fixture.fork("mute")
        try await stop(child)
        #expect(try await within { await child.shutdown(within: .milliseconds(100)) } == .kill)
        #expect(child.exitStatus == .signaled(.kill, coreDumped: false))
    }

    @Test("a signal to the group reaches what the child has started, and nobody else")
    func killGroup() async throws {
        var options = ChildProcess.Options()
        options.processGroup = .new
        let child = try Fixture.fork("leave-program", "wait", options: options)
        let program = try #require(Int32(exactly: try await Fixture.report(child).integerValue ?? 0))
        #expect(Probe.isRunning(program))
        #expect(child.killGroup(.kill))
        #expect(try await within { try await child.waitForExit() } == .signaled(.kill, coreDumped: false))
        try await eventually("the end of the program") { !Probe.isRunning(program) }
        #expect(!child.killGroup(.kill))
        let other = try Fixture.fork("mute")
        #expect(!other.killGroup(.kill))
        #expect(other.exitStatus == nil)
        other.kill(.kill)
    }

    @Test("what a child leaves behind in its group ends with it, where that is asked for", arguments: [true, false])
    func killsGroupOnExit(_ isAsked: Bool) async throws {
        var options = ChildProcess.Options()
        options.createsSession = true
        options.killsGroupOnExit = isAsked
        let child = try Fixture.fork("leave-program", "exit", options: options)
        let program = try #require(Int32(exactly: try await Fixture.report(child).integerValue ?? 0))
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        if isAsked {
            try await eventually("the end of the program") { !Probe.isRunning(program) }
        } else {
            #expect(Probe.isRunning(program))
            kill(program, SIGKILL)
        }
    }

    @Test("killsGroupOnExit without a group of the child's own is refused")
    func endsGroupOfOthers() {
        var options = ChildProcess.Options()
        options.killsGroupOnExit = true
        let error = #expect(throws: ForkError.self) { try Fixture.fork("mute", options: options) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("no time at all, and a negative time, end the child at once")
    func withoutTime() async throws {
        for time in [Duration.zero, .seconds(-1)] {
            let child = try Fixture.fork("mute")
            try await stop(child)
            #expect(try await within { await child.shutdown(within: time) } == .kill)
        }
    }

    struct Failure: Error {}

    @Test("withFork returns what its body returns, or throws what it throws, and the child has ended then")
    func scoped() async throws {
        let child = try await ChildProcess.withFork(path: Fixture.child, arguments: ["echo"]) { child in
            try await child.send(1)
            return child
        }
        #expect(child.exitStatus == .exited(code: 0))

        let thrown = Locked<ChildProcess?>(nil)
        await #expect(throws: Failure.self) {
            try await ChildProcess.withFork(path: Fixture.child, arguments: ["echo"]) { child in
                thrown.withLock { $0 = child }
                throw Failure()
            }
        }
        #expect(thrown.withLock { $0 }?.exitStatus == .exited(code: 0))
        await #expect(throws: ForkError.self) { try await ChildProcess.withFork(path: "/nowhere") { _ in } }
    }

    @Test("withFork shuts its child down when its task is cancelled")
    func cancelledScope() async throws {
        let started = AsyncStream<ChildProcess>.makeStream()
        let task = Task {
            try await ChildProcess.withFork(
                path: Fixture.child, arguments: ["mute"], shutdownWithin: .milliseconds(100)
            ) { child in
                started.continuation.yield(child)
                try await Task.sleep(for: .seconds(600))
            }
        }
        var iterator = started.stream.makeAsyncIterator()
        let child = await iterator.next()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await within { try await task.value } }
        #expect(child?.exitStatus == .signaled(.terminate, coreDumped: false))
    }

    @Test("withFork ends the child of a cancelled task also while its body waits for what is the child's")
    func cancelledScopeOfAnUncancellableBody() async throws {
        let started = Journal<ChildProcess>()
        let task = Task {
            try await ChildProcess.withFork(
                path: Fixture.child, arguments: ["mute"], shutdownWithin: .milliseconds(100)
            ) { child in
                await withCheckedContinuation { continuation in
                    child.onExit { _ in continuation.resume() }
                    started.append(child)
                }
            }
        }
        let child = try await started.wait(forCount: 1)[0]
        task.cancel()
        try await within { try await task.value }
        #expect(child.exitStatus == .signaled(.terminate, coreDumped: false))
    }

    @Test("a wait for the exit throws when its task is cancelled, before and while it waits, and the child lives on")
    func cancelledWait() async throws {
        let child = try Fixture.fork("mute")
        for isEarly in [true, false] {
            let began = Journal<Bool>()
            let task = Task {
                if isEarly { while !Task.isCancelled { await Task.yield() } }
                began.append(true)
                return try await child.waitForExit()
            }
            if isEarly { task.cancel() }
            try await began.wait(forCount: 1)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await within { try await task.value } }
        }
        #expect(child.exitStatus == nil)
        child.kill(.kill)
        #expect(try await within { try await child.waitForExit() } == .signaled(.kill, coreDumped: false))
    }

    @Test("kill says whether the child was there: signal 0 asks, and a zombie is not there")
    func probing() async throws {
        let probe = Signal(rawValue: 0)
        let child = try Fixture.fork("mute")
        #expect(child.kill(probe))
        #expect(child.exitStatus == nil)
        #expect(child.kill(.kill))
        try await eventually("the child's end") { !child.kill(probe) }
        #expect(try await within { try await child.waitForExit() } == .signaled(.kill, coreDumped: false))
        #expect(!child.kill(probe) && !child.kill())
        #expect(!child.kill(Signal(rawValue: 999)))
    }

    @Test("a child that has ended tells what it has used")
    func resourceUsage() async throws {
        let child = try Fixture.fork("burst", "1000", "return")
        #expect(child.resourceUsage == nil)
        _ = Recorder(child)
        try await closed(child)
        let usage = try #require(child.resourceUsage)
        #expect(usage.userTime + usage.systemTime > .zero)
        #expect(usage.peakMemory > 1 << 20 && usage.peakMemory < 1 << 40)
    }
}
