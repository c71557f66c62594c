import Testing

@testable import Fork

@Suite("Lifecycle of a child with streams")
struct StreamLifecycleTests {
    private func names(_ lifecycle: Lifecycle, hasConsumer: Bool = false, _ outputs: [OutputUse] = []) -> [String] {
        lifecycle.terminalEvents(hasConsumer: hasConsumer, outputs: outputs).map { event in
            switch event {
            case .disconnect: "disconnect"
            case .exit: "exit"
            case .close: "close"
            default: "other"
            }
        }
    }

    private func ended() -> Lifecycle {
        var lifecycle = Lifecycle(hasProcess: true)
        lifecycle.isExhausted = true
        lifecycle.isDelivered = true
        lifecycle.exitStatus = .exited(code: 0)
        return lifecycle
    }

    @Test("close waits for outputs that are read, and no other event does")
    func consumedOutputs() {
        #expect(names(ended(), [.done, .consumed]) == ["disconnect", "exit"])
        #expect(names(ended(), [.done, .done]) == ["disconnect", "exit", "close"])
    }

    @Test("close waits for outputs that nobody reads only as long as somebody may be about to")
    func unclaimedOutputs() {
        var lifecycle = ended()
        #expect(names(lifecycle, [.unclaimed]) == ["disconnect", "exit", "close"])
        lifecycle.awaitsOutputConsumer = true
        #expect(names(lifecycle, [.unclaimed]) == ["disconnect", "exit"])
        #expect(names(lifecycle, [.done]) == ["disconnect", "exit", "close"])
    }
}
