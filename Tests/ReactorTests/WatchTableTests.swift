import Testing

@testable import Reactor

/// A table whose changes can stand in an expectation.
private final class Table {
    private var table = WatchTable<String>()

    var count: Int { table.count }

    func add(_ handler: String) -> UInt64 { table.add(handler) }

    @discardableResult
    func remove(_ token: UInt64) -> String? { table.remove(token) }

    func handler(of token: UInt64) -> String? { table.handler(of: token) }
}

@Suite("Watch table")
struct WatchTableTests {
    @Test("a token finds its handler until it is removed")
    func handlers() {
        let table = Table()
        let first = table.add("first")
        let second = table.add("second")
        #expect(table.count == 2)
        #expect(table.handler(of: first) == "first")
        #expect(table.handler(of: second) == "second")
        #expect(table.remove(first) == "first")
        #expect(table.handler(of: first) == nil)
        #expect(table.handler(of: second) == "second")
        #expect(table.count == 1)
    }

    @Test("a token of an earlier use of a place finds nothing")
    func staleToken() {
        let table = Table()
        let stale = table.add("old")
        table.remove(stale)
        let fresh = table.add("new")
        #expect(UInt32(truncatingIfNeeded: stale) == UInt32(truncatingIfNeeded: fresh))
        #expect(stale != fresh)
        #expect(table.handler(of: stale) == nil)
        #expect(table.remove(stale) == nil)
        #expect(table.handler(of: fresh) == "new")
        #expect(table.count == 1)
    }

    @Test("a token that was never given out finds nothing")
    func unknownToken() {
        let table = Table()
        #expect(table.handler(of: 0) == nil)
        #expect(table.remove(7) == nil)
        #expect(table.handler(of: .max) == nil)
        #expect(table.count == 0)
    }

    @Test("removing twice frees the place once")
    func removedTwice() {
        let table = Table()
        let token = table.add("a")
        #expect(table.remove(token) == "a")
        #expect(table.remove(token) == nil)
        let tokens = [table.add("b"), table.add("c")]
        #expect(Set(tokens).count == 2)
        #expect(tokens.map { table.handler(of: $0) } == ["b", "c"])
    }
}
