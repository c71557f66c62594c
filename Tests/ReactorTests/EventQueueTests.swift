import Testing

@testable import Reactor

/// What the loop relies on, of whichever system.
@Suite("Event queue")
struct EventQueueTests {
    private struct Event: Equatable {
        var token: UInt64
        var readiness: Readiness
    }

    /// What a wait reports that finds what is there, and how many events it counts.
    private static func wait(_ queue: SystemEventQueue, milliseconds: CInt = 0) -> (count: Int, events: [Event]) {
        var count = 0
        var events: [Event] = []
        queue.wait(milliseconds: milliseconds) {
            count = $0
        } _: {
            events.append(Event(token: $0, readiness: $1))
        }
        return (count, events)
    }

    @Test("a change is reported once, with its token")
    func once() async throws {
        try await System.socketPair().held { ours, theirs in
            let queue = try SystemEventQueue()
            try queue.add(ours, .reading, token: 7)
            #expect(Self.wait(queue).events.isEmpty)
            write(theirs)
            #expect(Self.wait(queue).events == [Event(token: 7, readiness: .readable)])
            #expect(Self.wait(queue).events.isEmpty)
            write(theirs)
            #expect(Self.wait(queue).events == [Event(token: 7, readiness: .readable)])
        }
    }

    @Test("what is ready already is reported, when it is added and when its interest is changed")
    func readyAlready() async throws {
        try await System.socketPair().held { ours, theirs in
            let queue = try SystemEventQueue()
            write(theirs)
            try queue.add(ours, .reading, token: 7)
            #expect(Self.wait(queue).events == [Event(token: 7, readiness: .readable)])
            try queue.modify(ours, .readingAndWriting, token: 8)
            #expect(Self.wait(queue).events == [Event(token: 8, readiness: [.readable, .writable])])
        }
    }

    @Test("what is asked for once is reported once, until it is asked for again")
    func oneReport() async throws {
        try await System.socketPair().held { ours, theirs in
            let queue = try SystemEventQueue()
            try queue.add(ours, .readingOnce, token: 7)
            for _ in 0..<2 {
                write(theirs)
                #expect(Self.wait(queue).events == [Event(token: 7, readiness: .readable)])
                write(theirs)
                #expect(Self.wait(queue).events.isEmpty)
                try queue.modify(ours, .readingOnce, token: 7)
                #expect(Self.wait(queue).events == [Event(token: 7, readiness: .readable)])
                drain(ours)
                try queue.modify(ours, .readingOnce, token: 7)
            }
            try queue.modify(ours, .nothing, token: 7)
            write(theirs)
            #expect(Self.wait(queue).events.isEmpty)
        }
    }

    @Test("what was removed is not reported")
    func removed() async throws {
        try await System.socketPair().held { ours, theirs in
            let queue = try SystemEventQueue()
            try queue.add(ours, .reading, token: 7)
            queue.remove(ours)
            write(theirs)
            #expect(Self.wait(queue).events.isEmpty)
        }
    }

    @Test("an interruption ends the next wait, and is counted but not passed on")
    func interruption() throws {
        let queue = try SystemEventQueue()
        for _ in 0..<2 {
            queue.interrupt()
            let (count, events) = Self.wait(queue, milliseconds: -1)
            #expect(count == 1)
            #expect(events.isEmpty)
        }
        #expect(Self.wait(queue).count == 0)
    }
}
