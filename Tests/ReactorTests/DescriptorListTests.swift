import Testing

@testable import Reactor

@Suite("Lists of descriptors")
struct DescriptorListTests {
    @Test("what has come with the number of a closed standard stream gets another number, and the stream stays closed")
    func standardStreams() async {
        await #expect(processExitsWith: .success) {
            let other = try System.duplicate(0, atLeast: 10)
            System.close(0)
            let numbers = UnsafeMutableBufferPointer<CInt>.allocate(capacity: 2)
            defer { numbers.deallocate() }
            numbers[0] = try System.duplicate(other, atLeast: 0)
            numbers[1] = try System.duplicate(other, atLeast: 0)
            #expect(numbers[0] == 0)
            let list = DescriptorList(received: numbers[...])
            list.withNumbers { received in
                #expect(received.allSatisfy { $0 > 2 && System.isOpen($0) })
                #expect(received[1] == numbers[1])
            }
            #expect(!System.isOpen(0))
        }
    }

    @Test("a list closes what nobody has taken from it")
    func owner() async {
        await #expect(processExitsWith: .success) {
            let numbers = [try System.duplicate(0, atLeast: 10), try System.duplicate(0, atLeast: 10)]
            do {
                var list = DescriptorList(owning: numbers)
                let first = list.popFirst()?.take()
                #expect(first == numbers[0] && list.count == 1)
            }
            #expect(System.isOpen(numbers[0]) && !System.isOpen(numbers[1]))
        }
    }
}
