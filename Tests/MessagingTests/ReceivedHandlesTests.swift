import Testing

@testable import Messaging

@Suite("Arrived handles")
struct ReceivedHandlesTests {
    private func arrived(
        _ name: String, _ range: Range<UInt64>, count: Int = 1, isTruncated: Bool = false
    ) -> ReceivedHandles<String> {
        var handles = ReceivedHandles<String>()
        handles.add(name, count: count, isTruncated: isTruncated, range: range)
        return handles
    }

    @Test("a message takes those that came with the bytes in which it begins")
    func taking() {
        for position: UInt64 in [10, 15, 19] {
            var handles = arrived("a", 10..<20)
            #expect(handles.take(1, at: position) == .handles("a"))
            #expect(handles.count == 0)
        }
        for position: UInt64 in [9, 20] {
            var handles = arrived("a", 10..<20)
            #expect(handles.take(1, at: position) == .mismatch(received: 0))
        }
    }

    @Test("another number than announced is a mismatch, and truncated ones are lost whatever their number")
    func numbers() {
        var handles = arrived("a", 0..<5, count: 3)
        #expect(handles.take(2, at: 0) == .mismatch(received: 3))
        handles.add("b", count: 2, isTruncated: true, range: 5..<6)
        #expect(handles.take(2, at: 5) == .lost)
        #expect(handles.batchCount == 0)
    }

    @Test("those that nobody announces are stray once their bytes have been decoded")
    func stray() {
        let handles = arrived("a", 10..<20, count: 2)
        #expect(handles.stray(before: 19, open: nil) == nil)
        #expect(handles.stray(before: 20, open: nil) == 2)
        // A message that begins there is still to come.
        #expect(handles.stray(before: 20, open: 19) == nil)
        #expect(handles.stray(before: 30, open: 20) == 2)
        #expect(arrived("a", 0..<1, count: 0, isTruncated: true).stray(before: 1, open: nil) == 1)
    }

    @Test("they come out in the order in which they came, and all at the end")
    func order() {
        var handles = arrived("a", 0..<5)
        handles.add("b", count: 2, isTruncated: false, range: 5..<9)
        #expect(handles.count == 3)
        #expect(handles.removeAll() == ["a", "b"])
        #expect(handles.count == 0 && handles.batchCount == 0)
    }
}
