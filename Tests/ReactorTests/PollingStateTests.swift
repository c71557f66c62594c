import Testing

@testable import Reactor

@Suite("Looking before sleeping")
struct PollingStateTests {
    private let short = Duration.microseconds(30)
    private let long = Duration.milliseconds(5)

    @Test("balanced: a loop looks once events come in quick succession, and no more after a long sleep")
    func balanced() {
        var state = PollingState(coreCount: 2)
        #expect(state.limit(.balanced) == nil)
        state.slept(for: short, hasLooked: false)
        #expect(state.limit(.balanced) == .microseconds(50))
        for _ in 0..<100 {
            state.found()
            #expect(state.limit(.balanced) != nil)
        }
        state.slept(for: long, hasLooked: true)
        #expect(state.limit(.balanced) == nil)
    }

    @Test("balanced: three looks in vain in a row are enough; after 32 short sleeps there is another")
    func inVain() {
        var state = PollingState(coreCount: 2)
        state.slept(for: short, hasLooked: false)
        for _ in 0..<2 { state.slept(for: short, hasLooked: true) }
        // One that was not in vain begins the count anew.
        state.found()
        for _ in 0..<3 {
            #expect(state.limit(.balanced) != nil)
            state.slept(for: short, hasLooked: true)
        }
        for _ in 0..<32 {
            #expect(state.limit(.balanced) == nil)
            state.slept(for: short, hasLooked: false)
        }
        #expect(state.limit(.balanced) != nil)
    }

    @Test("lowest always looks, and efficient never")
    func others() {
        var state = PollingState(coreCount: 2)
        for time in [short, long, short] {
            #expect(state.limit(.lowest) == .milliseconds(1))
            #expect(state.limit(.efficient) == nil)
            state.slept(for: time, hasLooked: true)
        }
    }

    @Test("on one core nobody looks", arguments: [MessageLoop.Latency.balanced, .lowest, .efficient])
    func oneCore(_ latency: MessageLoop.Latency) {
        var state = PollingState(coreCount: 1)
        state.slept(for: short, hasLooked: false)
        #expect(state.limit(latency) == nil)
    }
}
