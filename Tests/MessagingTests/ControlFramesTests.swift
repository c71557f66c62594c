import Testing
import Wire

@testable import Messaging

@Suite("Control frames")
struct ControlFramesTests {
    @Test("nothing is to be said at first, and after all has been said")
    func empty() {
        var control = ControlFrames()
        #expect(control.isEmpty && control.take() == [])
        control.ping(1)
        #expect(!control.isEmpty)
        #expect(control.take() == Frame.ping(1))
        #expect(control.isEmpty && control.take() == [])
    }

    @Test("the hello is taken by itself")
    func hello() {
        var control = ControlFrames()
        control.hello(Frame.hello())
        control.ping(1)
        #expect(!control.isEmpty)
        #expect(control.take() == Frame.ping(1))
        #expect(!control.isEmpty)
        #expect(control.takeHello() == Frame.hello())
        #expect(control.takeHello() == nil)
    }

    @Test("of several pings, pongs and limits of an id the last is said")
    func merging() {
        var control = ControlFrames()
        for payload: UInt64 in 1...3 {
            control.pong(payload)
            control.ping(10 * payload)
        }
        control.credit(4, limit: 100)
        control.credit(4, limit: 300)
        control.credit(4, limit: 200)
        control.credit(3, limit: 5)
        let expected =
            FrameEncoder.control(.pong, 3) + Frame.ping(30) + Frame.credit(3, limit: 5) + Frame.credit(4, limit: 300)
        #expect(control.take() == expected)
    }

    @Test("the highest id is said with every credit, and with one of id 0 when it is new")
    func highestID() {
        var control = ControlFrames()
        control.allowIDs(upTo: 7)
        #expect(control.take() == Frame.credit(limit: 0, highestID: 7))
        control.credit(0, limit: 500)
        control.credit(5, limit: 100)
        #expect(control.take() == Frame.credit(limit: 500, highestID: 7) + Frame.credit(5, limit: 100, highestID: 7))
        // The frame of another id may come late, and be dropped.
        control.credit(5, limit: 200)
        control.allowIDs(upTo: 9)
        #expect(control.take() == Frame.credit(limit: 500, highestID: 9) + Frame.credit(5, limit: 200, highestID: 9))
        #expect(control.isEmpty)
    }

    @Test("no credit is said for an id that has ended")
    func forgetting() {
        var control = ControlFrames()
        control.credit(3, limit: 100)
        control.credit(5, limit: 100)
        control.forget(3)
        control.forget(7)
        #expect(!control.isEmpty)
        #expect(control.take() == Frame.credit(5, limit: 100))
        control.credit(3, limit: 100)
        control.forget(3)
        #expect(control.isEmpty && control.take() == [])
        control.credit(3, limit: 100)
        control.allowIDs(upTo: 5)
        control.forget(3)
        #expect(!control.isEmpty)
    }
}
