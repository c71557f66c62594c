import Testing
import Wire

@testable import Messaging

@Suite("Conversations")
struct ConversationsTests {
    private func own(_ number: UInt64) -> ConversationKey { ConversationKey(isOwn: true, number: number) }

    private func header(
        _ kind: FrameKind, _ flags: FrameFlags = [], id: UInt64
    ) -> FrameHeader {
        FrameHeader(kind: kind, flags: flags, id: id, bodyCount: 0)
    }

    // MARK: This side's

    @Test("who made the channel opens odd ids, the other side even ones, and none is skipped")
    func ownIDs() {
        var maker = Conversations(isMaker: true, peerLimit: 0)
        maker.peerAnnounced(3)
        #expect([1, 2, 3].map { maker.open(own($0)) } == [1, 3, 5])
        var other = Conversations(isMaker: false, peerLimit: 0)
        other.peerAnnounced(3)
        #expect([1, 2, 3].map { other.open(own($0)) } == [2, 4, 6])
    }

    @Test("no more are opened than the peer allows, and the next has the next id")
    func highest() {
        var conversations = Conversations(isMaker: true, peerLimit: 0)
        #expect(conversations.open(own(1)) == nil)
        conversations.peerAnnounced(1)
        #expect(conversations.open(own(1)) == 1)
        #expect(conversations.open(own(2)) == nil)
        conversations.raiseHighestOwn(to: 2)
        #expect(conversations.open(own(2)) == nil)
        conversations.raiseHighestOwn(to: 3)
        conversations.raiseHighestOwn(to: 1)
        #expect(conversations.open(own(2)) == 3)
        #expect(conversations.open(own(3)) == nil)
    }

    @Test("a conversation is known under its key until both sides have ended it")
    func ending() throws {
        var conversations = Conversations(isMaker: true, peerLimit: 0)
        conversations.peerAnnounced(2)
        #expect(conversations.open(own(1)) == 1)
        #expect(conversations.key(of: 1) == own(1) && conversations.id(of: own(1)) == 1)
        #expect(!conversations.owesNothing)
        conversations.endHere(1)
        #expect(conversations.owesNothing && conversations.key(of: 1) == own(1))
        #expect(try conversations.receive(header(.message, .open, id: 1)) == .known)
        #expect(try conversations.receive(header(.message, .more, id: 1)) == .known)
        #expect(conversations.takeEnded() == [])
        #expect(try conversations.receive(header(.message, id: 1)) == .known)
        // Not with the header: the rest may never come.
        #expect(conversations.key(of: 1) == own(1))
        conversations.endThere(1)
        #expect(conversations.key(of: 1) == nil && conversations.id(of: own(1)) == nil && conversations.count == 0)
        #expect(conversations.takeEnded() == [1])
        #expect(conversations.takeEnded() == [])
        #expect(try conversations.receive(header(.message, id: 1)) == .late)
    }

    // MARK: The peer's

    @Test("the peer's first frame opens, with the next id, META and within what is allowed")
    func opening() throws {
        var conversations = Conversations(isMaker: true, peerLimit: 2)
        #expect(throws: WireError.idNotOpened(4)) { try conversations.receive(header(.message, .meta, id: 4)) }
        #expect(throws: WireError.idNotOpened(1)) { try conversations.receive(header(.message, .meta, id: 1)) }
        #expect(throws: WireError.openedWithoutMeta(2)) { try conversations.receive(header(.message, id: 2)) }
        #expect(throws: WireError.openedWithoutMeta(2)) { try conversations.receive(header(.failure, .meta, id: 2)) }
        for kind in [FrameKind.end, .cancel, .credit] {
            #expect(throws: WireError.idNotOpened(2)) { try conversations.receive(header(kind, id: 2)) }
        }
        #expect(try conversations.receive(header(.message, .meta, id: 2)) == .opening)
        #expect(conversations.key(of: 2) == .peer(2))
        #expect(try conversations.receive(header(.bytes, [.meta, .more], id: 4)) == .opening)
        #expect(throws: WireError.tooManyIDs(6, limit: 4)) { try conversations.receive(header(.message, id: 6)) }
    }

    @Test("no ids are allowed at all where none are announced")
    func noIDs() {
        var conversations = Conversations(isMaker: false, peerLimit: 0)
        #expect(throws: WireError.tooManyIDs(1, limit: 0)) { try conversations.receive(header(.message, .meta, id: 1)) }
        #expect(conversations.grant() == nil)
    }

    @Test("no data and no end follow the peer's last message or end, but a failure and a cancel may")
    func afterEnd() throws {
        for last in [FrameKind.message, .end] {
            var conversations = Conversations(isMaker: false, peerLimit: 8)
            for id: UInt64 in [1, 3] {
                #expect(try conversations.receive(header(.message, [.meta, .open], id: id)) == .opening)
                #expect(try conversations.receive(header(last, id: id)) == .known)
                conversations.endThere(id)
                #expect(throws: WireError.afterEnd(id)) { try conversations.receive(header(.message, id: id)) }
                #expect(throws: WireError.afterEnd(id)) { try conversations.receive(header(.bytes, id: id)) }
                #expect(throws: WireError.afterEnd(id)) { try conversations.receive(header(.end, id: id)) }
                #expect(try conversations.receive(header(.credit, id: id)) == .known)
            }
            for (kind, id) in [(FrameKind.failure, UInt64(1)), (.cancel, 3)] {
                #expect(try conversations.receive(header(kind, id: id)) == .known)
                conversations.remove(id)
            }
            #expect(conversations.takeEnded() == [1, 3])
            for kind in FrameKind.allCases { #expect(try conversations.receive(header(kind, id: 1)) == .late) }
        }
    }

    @Test("more are allowed once others have been let go, and less than half is left")
    func granting() throws {
        var conversations = Conversations(isMaker: false, peerLimit: 4)
        for id: UInt64 in [1, 3, 5] {
            #expect(try conversations.receive(header(.message, .meta, id: id)) == .opening)
            conversations.remove(id)
            // They have ended, and something still works on them.
            #expect(conversations.grant() == nil)
        }
        conversations.release(.peer(3))
        conversations.release(.peer(3))
        #expect(conversations.grant() == 9)
        #expect(conversations.grant() == nil)
        conversations.release(.peer(1))
        conversations.release(.peer(5))
        #expect(conversations.grant() == 13)
        #expect(conversations.highestPeer == 13)
    }

    @Test("a conversation that nobody works on makes room once its answer is written")
    func grantingAfterTheAnswer() throws {
        var conversations = Conversations(isMaker: false, peerLimit: 2)
        for id: UInt64 in [1, 3] {
            #expect(try conversations.receive(header(.message, .meta, id: id)) == .opening)
            conversations.endThere(id)
            conversations.release(.peer(id))
            #expect(conversations.grant() == nil)
        }
        conversations.endHere(1)
        #expect(conversations.grant() == 5)
        #expect(conversations.grant() == nil)
        conversations.remove(3)
        #expect(conversations.grant() == 7)
    }

    @Test("opening and ending in a loop gains nothing")
    func loop() throws {
        var conversations = Conversations(isMaker: false, peerLimit: 4)
        for id: UInt64 in [1, 3, 5, 7] {
            #expect(try conversations.receive(header(.message, .meta, id: id)) == .opening)
            #expect(try conversations.receive(header(.cancel, id: id)) == .known)
            conversations.remove(id)
            #expect(conversations.grant() == nil)
        }
        #expect(throws: WireError.tooManyIDs(9, limit: 7)) {
            try conversations.receive(header(.message, .meta, id: 9))
        }
    }

    // MARK: The end

    @Test("with the peer's end those are over of which it owes something, and nothing more is opened")
    func peerEnded() throws {
        var conversations = Conversations(isMaker: true, peerLimit: 4)
        conversations.peerAnnounced(4)
        #expect([1, 2].map { conversations.open(own($0)) } == [1, 3])
        #expect(try conversations.receive(header(.message, id: 3)) == .known)
        #expect(try conversations.receive(header(.message, [.meta, .open], id: 2)) == .opening)
        #expect(try conversations.receive(header(.message, .meta, id: 4)) == .opening)
        for id: UInt64 in [3, 4] { conversations.endThere(id) }
        #expect(conversations.maySomedayOpen)
        let over = conversations.peerEnded()
        #expect(over.map(\.id) == [1, 2] && over.map(\.key) == [own(1), .peer(2)])
        #expect(!conversations.maySomedayOpen && conversations.open(own(3)) == nil)
        #expect(conversations.key(of: 3) == own(2) && conversations.key(of: 4) == .peer(4))
        #expect(conversations.takeEnded() == [1, 2])
    }
}
