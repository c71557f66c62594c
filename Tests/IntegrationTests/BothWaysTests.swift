import Fork
import TestSupport
import Testing

/// Much is on its way in both directions when somebody ends: more than any credit allows at once, so that what is
/// queued still needs credit after the end of the other direction.
@Suite("Ends with data on its way in both directions")
struct BothWaysTests {
    // Ten times what may have come and not been taken.
    private static let (count, size) = (160, 65_536)

    enum Order: String, CaseIterable {
        case parentDisconnects
        case childDisconnects
        case bothDisconnect
        case childExits
        case childExitsAndParentDisconnects

        var endOfChild: String {
            switch self {
            case .parentDisconnects: "wait"
            case .childDisconnects, .bothDisconnect: "disconnect"
            case .childExits, .childExitsAndParentDisconnects: "exit"
            }
        }

        var parentDisconnects: Bool {
            switch self {
            case .parentDisconnects, .bothDisconnect, .childExitsAndParentDisconnects: true
            case .childDisconnects, .childExits: false
            }
        }
    }

    @Test(
        "2: with ten windows on their way each way all of it arrives, whoever ends first",
        arguments: Order.allCases, [false, true])
    func allArrives(_ order: Order, isConsumerLate: Bool) async throws {
        let child = try Fixture.fork("both-ways", "\(Self.count)", "\(Self.size)", order.endOfChild)
        let received = Journal<Bool>()
        @Sendable func consume() {
            child.onMessage { message in
                let number = received.entries.count
                received.append(message.bytes == [UInt8](repeating: UInt8(number & 255), count: Self.size))
            }
        }
        if !isConsumerLate { consume() }
        for number in 0..<Self.count {
            try child.enqueue(bytes: [UInt8](repeating: UInt8(number & 255), count: Self.size))
        }
        if order.parentDisconnects { child.disconnect() }
        if isConsumerLate {
            // The child has sent what it can without credit.
            try await Task.sleep(for: .milliseconds(100))
            consume()
        }
        #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        let messages = try await received.wait(forCount: Self.count)
        #expect(messages.count == Self.count && messages.allSatisfy { $0 })
        try await closed(child)
        #expect(received.entries.count == Self.count)
    }
}
