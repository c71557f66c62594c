import JSONCodec
import TestSupport
import Testing

@testable import Wire

/// `Protocols/vectors/node-json.json`; section 9 of `Protocols/node.md` says what its members mean.
struct NodeVectors: Decodable {
    struct Frame: Decodable {
        let kind: String
        let body: String?
        let bodyParts: [Vectors.Part]?

        var bytes: [UInt8] { body.map { Array($0.utf8) } ?? (bodyParts ?? []).flatMap(\.bytes) }
    }

    struct Stream: Decodable, CustomStringConvertible {
        let name: String
        let text: String?
        let hex: String?
        let parts: [Vectors.Part]?
        let frames: [Frame]
        let error: String?
        let atEnd: String?

        var bytes: [UInt8] {
            text.map { Array($0.utf8) } ?? hex.map { [UInt8](hex: $0) } ?? (parts ?? []).flatMap(\.bytes)
        }
        var description: String { name }
    }

    let streams: [Stream]

    static let all: NodeVectors = Vectors.read("node-json.json")
}

@Suite("Test vectors of the Node dialect")
struct NodeVectorTests {
    private struct Outcome: Equatable {
        var messages: [JSON] = []
        /// Of the first line that can't be read.
        var error: String?
        var atEnd: String?
    }

    /// Reads up to the first line that is refused, as the vectors do; a channel goes on after it.
    private func read(_ bytes: [UInt8], portion: Int) throws -> Outcome {
        var outcome = Outcome()
        var decoder = LineDecoder(messageLimit: 64 << 20)
        var spare: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: portion) {
            try Array(bytes[start..<min(start + portion, bytes.count)]).withUnsafeBytes { portion in
                var input = portion
                while outcome.error == nil, let line = try decoder.next(from: &input, spare: &spare) {
                    do {
                        let document = try line.body.withBytes {
                            try JSONDocument(parsing: $0, numbersAreDoubles: true)
                        }
                        if case .user(let document) = NodeMessage(document) { outcome.messages.append(document.json) }
                    } catch let error as JSONError {
                        outcome.error = "\(error.code)"
                    }
                }
            }
        }
        do throws(WireError) { try decoder.endOfStream() } catch { outcome.atEnd = error.name }
        return outcome
    }

    @Test("a stream is read as its vector says, in whatever portions it comes", arguments: NodeVectors.all.streams)
    func stream(_ vector: NodeVectors.Stream) throws {
        let messages = try vector.frames.filter { $0.kind == "message" }.map { frame in
            try frame.bytes.withUnsafeBytes { try JSONDocument(parsing: $0, numbersAreDoubles: true).json }
        }
        let wanted = Outcome(messages: messages, error: vector.error, atEnd: vector.atEnd)
        let bytes = vector.bytes
        for portion in [max(1, bytes.count), 1, 2, 7] where portion == bytes.count || bytes.count < 10_000 {
            #expect(try read(bytes, portion: portion) == wanted)
        }
    }
}
