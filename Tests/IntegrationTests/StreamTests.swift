import Fork
import Foundation
import Reactor
import TestSupport
import Testing

/// What comes through the pipes of a child.
@Suite("Streams")
struct StreamTests {
    private func lines(_ output: ChildOutput) async throws -> [String] {
        try await within {
            var lines: [String] = []
            for await line in output.lines { lines.append(line) }
            return lines
        }
    }

    // MARK: Output

    @Test("an output's chunks hold at most 64 KiB, in order, and end after the last byte")
    func chunks() async throws {
        let (child, output) = try Script.piped("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i + 1)); done")
        let bytes = try await within {
            var bytes: [UInt8] = []
            for await chunk in output {
                #expect((1...65536).contains(chunk.count))
                bytes += chunk
            }
            return bytes
        }
        #expect(bytes == Array((0..<20000).map { "\($0)\n" }.joined().utf8))
        #expect(try await child.waitForExit() == .exited(code: 0))
        // And the end stays the end.
        #expect(try await within { try await output.collect(upTo: 0) }.isEmpty)
    }

    @Test("lines come without their ends, the last one also where it has none")
    func lines() async throws {
        let (_, output) = try Script.piped(#"printf 'one\ntwo\r\n\nü\n\377\nlast'"#)
        #expect(try await lines(output) == ["one", "two", "", "ü", "\u{FFFD}", "last"])
    }

    @Test("what a killed child has written comes to the last byte, and then the end")
    func killedChild() async throws {
        let (child, output) = try Script.piped("printf 'last words'; kill -KILL $$")
        _ = try await child.waitForExit()
        #expect(try await lines(output) == ["last words"])
    }

    @Test("an output is collected whole, and one that is longer than allowed is an error")
    func collect() async throws {
        let (child, output) = try Script.piped("printf 12345; exec >&-; exec sleep 60")
        #expect(try await within { try await output.collect(upTo: 5) } == Array("12345".utf8))
        child.kill(.kill)
        let (_, longer) = try Script.piped("printf 123456")
        let error = await #expect(throws: ForkError.self) { try await longer.collect(upTo: 5) }
        #expect(error?.code == .outputTooLong)
    }

    @Test("a hundred megabytes are read in little memory")
    func flood() async {
        // In a process of its own, whose memory is nobody else's.
        await #expect(processExitsWith: .success) {
            let size = 100 << 20
            let (child, output) = try Script.piped("head -c \(size) /dev/zero")
            let before = Probe.residentMemory
            var count = 0
            var highest = 0
            for await chunk in output {
                count += chunk.count
                highest = max(highest, Probe.residentMemory)
            }
            #expect(count == size)
            #expect(highest - before < 20 << 20)
            #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        }
    }

    @Test("a child that floods an output that nobody reads waits, harms neither its parent nor its siblings, and ends")
    func unreadFlood() async {
        await #expect(processExitsWith: .success) {
            let (flooding, _) = try Script.piped("exec yes")
            let recorder = Recorder(flooding)
            let sibling = try Fixture.fork("echo")
            var messages = sibling.messages.makeAsyncIterator()
            let before = Probe.residentMemory
            for number in 0..<1000 {
                try await sibling.send(number)
                #expect(await messages.next()?.json == .integer(Int64(number)))
            }
            // Much less than the child could have written by now.
            #expect(Probe.residentMemory - before < 64 << 20)
            #expect(flooding.exitStatus == nil)
            #expect(flooding.kill(.kill))
            try await closed(flooding)
            #expect(recorder.all == [.spawn, .disconnect, .exit(.signaled(.kill, coreDumped: false)), .close])
            sibling.disconnect()
        }
    }

    @Test("a child waits for whoever reads: it writes what the pipe holds, and goes on when some of it has been taken")
    func backPressure() async throws {
        let script = "while :; do head -c 4096 /dev/zero >&5; echo x >&6; done"
        let child = try Script.fork(script) { ($0.outputs[5], $0.outputs[6]) = (.pipe, .pipe) }
        let (output, progress) = try (#require(child.output(5)), #require(child.output(6)))
        let blocks = Locked(0)
        let counting = Task { for await _ in progress.lines { blocks.withLock { $0 += 1 } } }
        var iterator = output.makeAsyncIterator()
        try await eventually("a full pipe") { blocks.withLock { $0 } >= 16 }
        try await Task.sleep(for: .milliseconds(100))
        #expect(blocks.withLock { $0 } == 16)
        var count = 0
        while count < 1 << 18, let chunk = await iterator.next() { count += chunk.count }
        // The last four or so may still be in the pipe.
        #expect(blocks.withLock { $0 } >= 40)
        child.kill(.kill)
        try await within { await counting.value }
    }

    @Test("each chunk goes to one of several iterators, and each of them gets the end")
    func severalIterators() async throws {
        let size = 8 << 20
        let (_, output) = try Script.piped("head -c \(size) /dev/zero")
        let counts = try await within {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var count = 0
                        for await chunk in output { count += chunk.count }
                        return count
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(counts.count == 4)
        #expect(counts.reduce(0, +) == size)
    }

    @Test("a cancelled iteration ends at once and loses nothing")
    func cancelledIteration() async throws {
        let (_, input, output) = try Script.fed("cat")
        for number in 0..<20 {
            let task = Task {
                for await _ in output { Issue.record("nothing was written") }
            }
            if number % 2 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            task.cancel()
            try await within { await task.value }
            try await input.write("\(number)")
            var iterator = output.makeAsyncIterator()
            #expect(await iterator.next() == Array("\(number)".utf8))
        }
        input.finish()
        #expect(try await within { try await output.collect(upTo: 0) }.isEmpty)
    }

    @Test("a grandchild that has the stream keeps it going after the child's end")
    func grandchild() async throws {
        let (child, input, output) = try Script.fed("(exec 0<&5; read line; echo from the grandchild) 5<&0 & exit 0")
        _ = input
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        // Its input was closed with the child's end.
        #expect(try await lines(output) == ["from the grandchild"])
    }

    // MARK: Input

    @Test("what is written arrives whole, and the child reads the end after finish")
    func input() async throws {
        let (child, input, output) = try Script.fed("cat")
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        let writer = Task {
            try await input.write(bytes)
            try await input.write([])
            try await input.write("the end")
            input.finish()
            input.finish()
        }
        let copy = try await within { try await output.collect(upTo: 4_000_000) }
        #expect(copy == bytes + Array("the end".utf8))
        try await writer.value
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        let error = await #expect(throws: ForkError.self) { try await input.write("more") }
        #expect(error?.code == .streamClosed)
    }

    @Test("writes of several tasks are not torn apart, and finish comes after those that wait")
    func severalWriters() async throws {
        let (_, input, output) = try Script.fed("sleep 0.2; cat")
        let size = 100_000
        let writers = (0..<8).map { number in
            Task { try await input.write([UInt8](repeating: UInt8(number), count: size)) }
        }
        let bytes = try await within {
            async let all = output.collect(upTo: 8 * size)
            for writer in writers { try await writer.value }
            input.finish()
            return try await all
        }
        #expect(bytes.count == 8 * size)
        let blocks = stride(from: 0, to: bytes.count, by: size).map { Set(bytes[$0..<$0 + size]) }
        #expect(blocks.allSatisfy { $0.count == 1 })
        #expect(Set(blocks).count == 8)
    }

    @Test("a child that never reads makes the writer wait; it can be cancelled, and the next goes on")
    func unreadInput() async throws {
        let (child, input, output) = try Script.fed("read go <&4; cat | wc -c") { $0.inputs[4] = .pipe }
        let go = try #require(child.input(4))
        // As much as a pipe holds, so that nobody has room, whoever of the writers comes first.
        let capacity = 1 << 16
        try await within { try await input.write([UInt8](repeating: 0, count: capacity)) }
        let writer = Task { try await input.write([UInt8](repeating: 1, count: 1 << 20)) }
        let second = Task { try await input.write("never begun") }
        try await Task.sleep(for: .milliseconds(50))
        writer.cancel()
        await #expect(throws: CancellationError.self) { try await within { try await writer.value } }
        second.cancel()
        await #expect(throws: CancellationError.self) { try await within { try await second.value } }
        let third = Task { try await input.write([1, 2, 3]) }
        try await go.write("go\n")
        try await within { try await third.value }
        input.finish()
        let line = try #require(try await lines(output).first)
        let count = try #require(Int(line.filter { $0 != " " }))
        // What the pipe had taken, and the three.
        #expect(count == capacity + 3)
    }

    @Test("a write that waits ends with an error when the child is killed")
    func killedReader() async throws {
        let (child, input, _) = try Script.fed("exec sleep 60")
        let writers = (0..<3).map { _ in Task { try await input.write([UInt8](repeating: 1, count: 1 << 20)) } }
        try await Task.sleep(for: .milliseconds(20))
        child.kill(.kill)
        for writer in writers {
            let error = await #expect(throws: ForkError.self) { try await within { try await writer.value } }
            #expect(error?.code == .streamClosed)
        }
    }

    @Test("a write that waits ends with the child, also where a grandchild could still read")
    func readerThatLeavesAGrandchild() async throws {
        let (child, input, _) = try Script.fed("(exec 0<&5; exec sleep 60) 5<&0 >&- & echo $!; read line; exit 0")
        try await input.write("line\n")
        let error = await #expect(throws: ForkError.self) {
            try await within { try await input.write([UInt8](repeating: 1, count: 1 << 20)) }
        }
        #expect(error?.code == .streamClosed)
        #expect(try await child.waitForExit() == .exited(code: 0))
        let grandchild = try #require(child.standardOutput)
        if let pid = try await lines(grandchild).first.flatMap({ Int32($0) }) { kill(pid, SIGKILL) }
    }

    @Test("writing to a child that has closed its input throws, and does not signal this program")
    func brokenPipe() async throws {
        let (child, input, output) = try Script.fed("exec <&-; echo closed; exec sleep 60")
        var lines = output.lines.makeAsyncIterator()
        #expect(await lines.next() == "closed")
        #expect(try await refusal(of: input).code == .streamClosed)
        let error = await #expect(throws: ForkError.self) { try await input.write("more") }
        #expect(error?.code == .streamClosed)
        child.kill(.kill)
    }

    @Test("a program with the default disposition of SIGPIPE survives, and its mask is as it was")
    func signalSafety() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_DFL)
            let (child, input, output) = try Script.fed("exec <&-; echo closed; exec >&-; exec sleep 60")
            #expect(try await within { try await output.collect(upTo: 10) } == Array("closed\n".utf8))
            #expect(try await refusal(of: input).code == .streamClosed)
            child.kill(.kill)
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            #expect(sigismember(&mask, SIGPIPE) == 0)
        }
    }
}

/// Writes until that is refused: a child that another thread is just starting has a copy of every descriptor, until
/// its own exec.
private func refusal(of input: ChildInput) async throws -> ForkError {
    try await within {
        while true {
            do {
                try await input.write("more")
            } catch let error as ForkError {
                return error
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
