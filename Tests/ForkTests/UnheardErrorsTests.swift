import Testing

@testable import Fork

@Suite("Errors that nobody has heard")
struct UnheardErrorsTests {
    private func errors(_ range: ClosedRange<Int>) -> [ForkError] {
        range.map { ForkError(.system, "\($0)") }
    }

    @Test("sixteen are kept, in order, and only those are to be reported")
    func limit() {
        var unheard = UnheardErrors()
        let first = unheard.add(errors(1...10)).map(\.message)
        #expect(first == (1...10).map { "\($0)" })
        let second = unheard.add(errors(11...20)).map(\.message)
        #expect(second == (11...16).map { "\($0)" })
        let third = unheard.add(errors(21...21))
        #expect(third.isEmpty)
        let all = unheard.takeAll().map(\.message)
        #expect(all == (1...16).map { "\($0)" })
    }

    @Test("whoever takes them makes room for more")
    func room() {
        var unheard = UnheardErrors()
        _ = unheard.add(errors(1...16))
        _ = unheard.takeAll()
        let none = unheard.takeAll()
        #expect(none.isEmpty)
        let more = unheard.add(errors(1...1))
        #expect(more.count == 1)
    }
}
