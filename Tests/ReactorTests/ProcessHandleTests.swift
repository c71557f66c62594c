import SystemPackage
import TestSupport
import Testing

@testable import Reactor

@Suite("Process handle")
struct ProcessHandleTests {
    /// A shell that runs a script, with our end of its channel, which it has as descriptor 3.
    private static func start(_ script: String, ownGroup: Bool = false) throws -> (ProcessHandle, SharedDescriptor) {
        try System.socketPair().split { ours, theirs in
            var request = SpawnRequest(
                path: "/bin/sh", arguments: ["sh", "-c", script].map { Array($0.utf8) }, environment: [],
                channel: theirs)
            request.attributes.processGroup = ownGroup ? 0 : nil
            return (try ChildSpawner.spawn(request), SharedDescriptor(ours))
        }
    }

    private static func drivenLoop() throws -> MessageLoop {
        let loop = try MessageLoop(named: "test-loop")
        try loop.ensureDriven()
        return loop
    }

    /// Waits until the process has ended, and leaves it to be reaped.
    private static func waitForZombie(_ process: ProcessHandle) async throws {
        try await eventually("the process ends") { isZombie(process.pid) }
    }

    /// What is read until the other end is closed, or until the first line has come.
    private static func text(of channel: SharedDescriptor, firstLine: Bool = false) async throws -> String {
        let output = Journal<String>()
        try Thread.start(name: "reader") {
            let number = channel.descriptor.rawValue
            output.append(firstLine ? readLine(number) : readToEnd(number))
        }
        return try await output.wait(forCount: 1)[0]
    }

    // MARK: Signals

    @Test("a signal reaches the process")
    func signal() async throws {
        let (process, channel) = try Self.start("read line <&3")
        let ended = Journal<EndedProcess>()
        try process.watch(on: Self.drivenLoop()) { ended.append($0) }
        try process.signal(Signal(rawValue: 0))
        #expect(ended.entries.isEmpty)
        try process.signal(.terminate)
        #expect(try await ended.wait(forCount: 1).map(\.status) == [.signaled(.terminate, coreDumped: false)])
        withExtendedLifetime(channel) {}
    }

    @Test("to signal a process that has ended is an error, before it is reaped and afterwards")
    func signalTooLate() async throws {
        let (process, _) = try Self.start("exit 7")
        try await Self.waitForZombie(process)
        #expect(throws: Errno.noSuchProcess) { try process.signal(.terminate) }
        #expect(try process.reap()?.status == .exited(code: 7))
        #expect(throws: Errno.noSuchProcess) { try process.signal(.terminate) }
    }

    @Test("to signal a process whose status was taken by somebody else is an error")
    func signalAfterStranger() throws {
        let (process, _) = try Self.start("exit 7")
        takeStatus(of: process.pid)
        #expect(throws: Errno.noSuchProcess) { try process.signal(.terminate) }
        #expect(throws: Errno.noSuchProcess) { try process.signalGroup(.terminate) }
    }

    @Test("a signal to the group reaches what the process has started")
    func signalGroup() async throws {
        let (process, channel) = try Self.start("sleep 1000 & echo ready >&3; wait", ownGroup: true)
        #expect(try await Self.text(of: channel, firstLine: true) == "ready\n")
        try process.signalGroup(.kill)
        // Both have closed the other end.
        #expect(try await Self.text(of: channel).isEmpty)
        process.killAndReap()
    }

    @Test("once the process has been reaped, a signal to its group reaches nobody who has that number")
    func signalGroupTooLate() async throws {
        // Stays in the group when the shell has ended.
        let (process, channel) = try Self.start("(read line; echo \"$line\" >&3) <&3 & exit 0", ownGroup: true)
        try await Self.waitForZombie(process)
        try process.signalGroup(Signal(rawValue: 0))
        #expect(try process.reap()?.status == .exited(code: 0))
        #expect(throws: Errno.noSuchProcess) { try process.signalGroup(.kill) }
        write(channel.descriptor.rawValue, "still there\n")
        #expect(try await Self.text(of: channel) == "still there\n")
    }

    // MARK: The end

    @Test("a process that runs is not reaped, and one that has ended is reaped once")
    func reapOnce() async throws {
        let (process, channel) = try Self.start("read line <&3; exit 7")
        #expect(try process.reap() == nil)
        write(channel.descriptor.rawValue, "\n")
        try await Self.waitForZombie(process)
        let ended = try process.reap()
        #expect(ended?.status == .exited(code: 7))
        #expect(try #require(ended?.usage).peakMemory > 0)
        #expect(throws: Errno.noChildProcess) { try process.reap() }
    }

    @Test("the end is told once: to the handler, and to nobody who asks later")
    func toldToHandler() async throws {
        let loop = try Self.drivenLoop()
        let (process, _) = try Self.start("exit 7")
        let ended = Journal<EndedProcess>()
        try process.watch(on: loop) {
            #expect(loop.isCurrent)
            ended.append($0)
        }
        #expect(try await ended.wait(forCount: 1).map(\.status) == [.exited(code: 7)])
        #expect(throws: Errno.noChildProcess) { try process.reap() }
        #expect(loop.core.watchCount == 0)
    }

    @Test("the end is told once: to the caller who reaps, and not to the handler whose event is under way")
    func toldToCaller() async throws {
        let loop = try MessageLoop(named: "test-loop")
        let (process, _) = try Self.start("exit 7")
        let journal = Journal<String>()
        try process.watch(on: loop) { journal.append("to the handler: \($0.status)") }
        try await Self.waitForZombie(process)
        // Runs when the loop has got the event, before the event's handler.
        loop.execute { journal.append("to the caller: \((try? process.reap()).map { "\($0.status)" } ?? "nothing")") }
        try loop.ensureDriven()
        try await journal.wait(forCount: 1)
        let isOver = Journal<Bool>()
        loop.execute { loop.execute { isOver.append(true) } }
        try await isOver.wait(forCount: 1)
        #expect(journal.entries == ["to the caller: exited(code: 7)"])
        #expect(loop.core.watchCount == 0)
    }

    @Test("a process whose status was taken by somebody else has ended in an unknown way")
    func stranger() async throws {
        let (process, _) = try Self.start("exit 7")
        takeStatus(of: process.pid)
        let ended = Journal<EndedProcess>()
        try process.watch(on: Self.drivenLoop()) { ended.append($0) }
        #expect(try await ended.wait(forCount: 1).map(\.status) == [.unknown])
    }

    @Test("what is left of the group can be killed before the process is reaped", arguments: [true, false])
    func killsGroup(_ isAsked: Bool) async throws {
        let (process, channel) = try Self.start("(read line; echo \"$line\" >&3) <&3 & exit 0", ownGroup: true)
        let ended = Journal<EndedProcess>()
        try process.watch(on: Self.drivenLoop(), killsGroup: isAsked) { ended.append($0) }
        #expect(try await ended.wait(forCount: 1).map(\.status) == [.exited(code: 0)])
        if !isAsked { write(channel.descriptor.rawValue, "still there\n") }
        #expect(try await Self.text(of: channel) == (isAsked ? "" : "still there\n"))
    }

    @Test("a process that nobody shall hear of is killed and reaped")
    func killAndReap() async {
        await #expect(processExitsWith: .success) {
            let (process, channel) = try Self.start("while :; do sleep 1000; done")
            process.killAndReap()
            #expect(!hasChildren())
            #expect(throws: Errno.noSuchProcess) { try process.signal(.terminate) }
            withExtendedLifetime(channel) {}
        }
    }
}
