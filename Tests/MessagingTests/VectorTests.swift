import JSONCodec
import TestSupport
import Testing
import Wire

@testable import Messaging

@Suite("Test vectors of the native protocol")
struct VectorTests {
    // One after another: other tests wait for events meanwhile, some of them with a deadline.
    @Test(
        "a stream is read as its vector says, in whatever portions it comes", .serialized,
        arguments: Vectors.native.streams)
    func stream(_ vector: Vectors.Stream) async throws {
        let stream = ExampleStream(vector.bytes)
        let wanted = try vector.frames.map { try Reading.Frame($0) }
        let sides = Reading.Side.all(of: vector)
        for side in sides {
            let reading = Reading(stream, by: side)
            #expect(reading.frames == wanted)
            #expect(reading.error?.name == vector.error, "\(String(describing: reading.error))")
            #expect(reading.reported.map(\.name) == [vector.error ?? vector.atEnd].compactMap(\.self))
            #expect(reading.lost.isEmpty)
            #expect(Reading(stream, by: side, settles: true) == reading, "with bytes that are given back")
            #expect(Reading(stream, by: side, cutAt: stream.places) == reading, "byte by byte")
        }
        let reading = Reading(stream, by: sides[0])
        for place in placesToCut(stream) {
            try #require(Reading(stream, by: sides[0], cutAt: [place]) == reading, "cut at \(place)")
            await Task.yield()
        }
    }

    /// A hello that others follow is the same in nearly all streams, and of thousands of frames each is like the one
    /// before.
    private func placesToCut(_ stream: ExampleStream) -> some Sequence<Int> {
        let afterHello = stream.headers.dropFirst().first ?? 0
        return stream.places.filter { $0 >= afterHello }.prefix(stream.headers.count > 100 ? 60 : 600)
    }

    @Test("there is a vector for every error of the specification that ends the channel, and for no other")
    func coverage() throws {
        let page = Vectors.text("native-v1.md")
        let start = try #require(page.firstRange(of: "### The channel ends"))
        let end = try #require(page.firstRange(of: "### One message is lost"))
        let rows = page[start.upperBound..<end.lowerBound].matches(of: /\n\| `([A-Za-z]+)` \|/)
        let named = Vectors.native.streams.flatMap { [$0.error, $0.atEnd] }.compactMap(\.self)
        #expect(rows.count > 20)
        #expect(Set(named) == Set(rows.map { String($0.1) }))
    }

    @Test("no two vectors have the same name")
    func names() {
        #expect(Set(Vectors.native.streams.map(\.name)).count == Vectors.native.streams.count)
    }

    @Test("the body of a failure is read as its vector says")
    func reasons() throws {
        let failures = Vectors.native.streams.flatMap(\.frames).filter { $0.kind == "failure" }
        #expect(failures.contains { $0.reason != nil } && failures.contains { $0.reason == nil })
        for failure in failures {
            let read = failure.bytes.withUnsafeBytes { try? JSONDocument(parsing: $0).decode(Failure.self) }
            #expect(read == failure.reason.map { Failure(code: $0.code, message: $0.message) })
        }
    }
}

extension Reading.Side {
    /// Where a vector says nothing of the side, both read the same.
    fileprivate static func all(of vector: Vectors.Stream) -> [Self] {
        ["parent", "child"].filter { vector.side == nil || vector.side == $0 }.map { name in
            var side = Self(isMaker: name == "parent", opened: vector.opened ?? 0)
            side.messageLimit = vector.limit ?? side.messageLimit
            side.window = vector.window ?? side.window
            side.ids = vector.ids ?? side.ids
            return side
        }
    }
}

extension Reading.Frame {
    fileprivate init(_ frame: Vectors.Frame) throws {
        kind = try #require(FrameKind.allCases.first { "\($0)" == frame.kind }, "\(frame.kind)")
        id = frame.id ?? 0
        content = try Reading.Content(kind, frame, id: id)
        isOpen = frame.open ?? false
        handleCount = frame.descriptors ?? 0
        // Nobody is told of the description of what says nothing.
        if kind == .failure { return }
        if case .unreadable = content { return }
        description = frame.description.map { description in
            MessageDescription(
                name: description.name, timeout: description.timeout, trace: description.trace ?? [:])
        }
    }
}

extension Reading.Content {
    fileprivate init(_ kind: FrameKind, _ frame: Vectors.Frame, id: UInt64) throws {
        let bytes = frame.bytes
        switch kind {
        case .hello:
            self = .hello(try bytes.withUnsafeBytes { try Hello(body: $0) })
        case .abort:
            let unread = Abort(body: UnsafeRawBufferPointer(start: nil, count: 0))
            self = .abort(frame.reason.map { Abort(code: $0.code, message: $0.message) } ?? unread)
        case .message where id != 0:
            do throws(JSONError) {
                self = .json(
                    try bytes.withUnsafeBufferPointer { (text) throws(JSONError) in
                        try JSONDocument(parsing: UnsafeRawBufferPointer(text)).json
                    })
            } catch {
                self = .unreadable("\(error.code)")
            }
        default:
            self = .bytes(Bytes(bytes))
        }
    }
}
