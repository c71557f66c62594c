import Testing

@testable import Fork

@Suite("Buffer of a sequence")
struct EventBufferStateTests {
    /// What a step of the state machine says, in words.
    private func push(_ state: inout EventBufferState<Int, String>, _ element: Int, size: Int = 1) -> String {
        switch state.push(element, size: size) {
        case .hand(let waiter): "hand to \(waiter)"
        case .keep(let isSaturated): isSaturated ? "keep, enough" : "keep"
        }
    }

    private func next(_ state: inout EventBufferState<Int, String>, _ id: UInt64) -> String {
        switch state.next(id, "waiter \(id)") {
        case .take(let element, let isRelieved):
            (element.map { "\($0)" } ?? "end") + (isRelieved ? ", relieved" : "")
        case .wait: "wait"
        }
    }

    @Test("elements come in order, and an element that is waited for goes to who waited first")
    func order() {
        var state = EventBufferState<Int, String>()
        let steps = [
            push(&state, 1), push(&state, 2), next(&state, 1), next(&state, 2), next(&state, 3), next(&state, 4),
            push(&state, 3), push(&state, 4),
        ]
        #expect(steps == ["keep", "keep", "1", "2", "wait", "wait", "hand to waiter 3", "hand to waiter 4"])
    }

    @Test("it has enough at sixty-four elements, and can take more when a quarter is left")
    func countLimit() {
        var state = EventBufferState<Int, String>()
        for element in 1...63 {
            let step = push(&state, element)
            #expect(step == "keep")
        }
        let last = push(&state, 64)
        #expect(last == "keep, enough")
        for element in 1...47 {
            let step = next(&state, 1)
            #expect(step == "\(element)")
        }
        let relief = next(&state, 1)
        #expect(relief == "48, relieved")
        let after = next(&state, 1)
        #expect(after == "49")
    }

    @Test("it has enough at 256 KiB, however few the elements are")
    func sizeLimit() {
        var state = EventBufferState<Int, String>()
        let steps = [push(&state, 1, size: 300_000), push(&state, 2, size: 1), next(&state, 1), next(&state, 1)]
        #expect(steps == ["keep, enough", "keep, enough", "1, relieved", "2"])
    }

    @Test("the end comes after the elements that are left, and to all who wait")
    func end() {
        var state = EventBufferState<Int, String>()
        _ = push(&state, 1)
        let none = state.finish()
        #expect(none == [])
        let steps = [next(&state, 1), next(&state, 2), next(&state, 3)]
        #expect(steps == ["1", "end", "end"])

        var waiting = EventBufferState<Int, String>()
        _ = next(&waiting, 1)
        _ = next(&waiting, 2)
        let waiters = waiting.finish()
        #expect(waiters == ["waiter 1", "waiter 2"])
    }

    @Test("a cancelled waiter gets no element, and once only is it given out")
    func cancellation() {
        var state = EventBufferState<Int, String>()
        _ = next(&state, 1)
        _ = next(&state, 2)
        let waiter = state.cancel(1)
        let again = state.cancel(1)
        #expect(waiter == "waiter 1")
        #expect(again == nil)
        let step = push(&state, 1)
        #expect(step == "hand to waiter 2")
    }
}

@Suite("Order of the last events")
struct LifecycleTests {
    private func names(_ lifecycle: Lifecycle, hasConsumer: Bool) -> [String] {
        lifecycle.terminalEvents(hasConsumer: hasConsumer).map {
            switch $0 {
            case .disconnect: "disconnect"
            case .exit(let status): "\(status)"
            case .close: "close"
            default: "another"
            }
        }
    }

    @Test("with a consumer they wait until all has been delivered, also where the process has ended")
    func withConsumer() {
        var lifecycle = Lifecycle(hasProcess: true)
        lifecycle.exitStatus = .exited(code: 0)
        #expect(names(lifecycle, hasConsumer: true) == [])
        lifecycle.isExhausted = true
        #expect(names(lifecycle, hasConsumer: true) == [])
        lifecycle.isDelivered = true
        #expect(names(lifecycle, hasConsumer: true) == ["disconnect", "exited with code 0", "close"])
    }

    @Test("without a consumer nothing but the channel's end is waited for")
    func withoutConsumer() {
        var lifecycle = Lifecycle(hasProcess: true)
        lifecycle.exitStatus = .unknown
        #expect(names(lifecycle, hasConsumer: false) == [])
        lifecycle.isExhausted = true
        #expect(names(lifecycle, hasConsumer: false) == ["disconnect", "ended in an unknown way", "close"])
    }

    @Test("the disconnect comes before the process has ended, and a child's own side has no exit to tell")
    func disconnectAlone() {
        var lifecycle = Lifecycle(hasProcess: true)
        lifecycle.isExhausted = true
        lifecycle.isDelivered = true
        #expect(names(lifecycle, hasConsumer: true) == ["disconnect"])
        var child = Lifecycle(hasProcess: false)
        child.isDelivered = true
        child.isExhausted = true
        #expect(names(child, hasConsumer: true) == ["disconnect"])
    }
}
