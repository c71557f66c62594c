import JSONCodec
import Testing

@testable import Fork
@testable import Messaging

@Suite("Messages that nobody has taken")
struct UnclaimedMessagesTests {
    private func messages(_ numbers: UInt64...) throws -> [Message] {
        try numbers.map { number in
            let text = Array("\(number)".utf8)
            let document = try text.withUnsafeBytes { bytes throws(JSONError) in try JSONDocument(parsing: bytes) }
            return Message(
                inbound: InboundMessage(document, handles: nil, byteCount: text.count), number: number)
        }
    }

    private func drain(_ unclaimed: inout UnclaimedMessages) -> [UInt64] {
        var numbers: [UInt64] = []
        while let message = unclaimed.popFirst() { numbers.append(message.number) }
        return numbers
    }

    @Test("what several consumers leave is there once, in the order in which it arrived")
    func order() throws {
        var unclaimed = UnclaimedMessages()
        #expect(unclaimed.isEmpty)
        unclaimed.insert(try messages(5, 6, 8))
        unclaimed.insert(try messages(3, 5, 6, 7))
        unclaimed.insert([])
        #expect(unclaimed.firstNumber == 3)
        let numbers = drain(&unclaimed)
        #expect(numbers == [3, 5, 6, 7, 8])
        #expect(unclaimed.isEmpty)
    }

    @Test("a message that is put back is the first again")
    func putBack() throws {
        var unclaimed = UnclaimedMessages()
        unclaimed.insert(try messages(1, 2))
        let first = unclaimed.popFirst()
        unclaimed.putBack(try #require(first))
        let numbers = drain(&unclaimed)
        #expect(numbers == [1, 2])
    }
}
