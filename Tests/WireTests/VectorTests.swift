import JSONCodec
import Testing

@testable import Wire

@Suite("Test vectors of the native protocol")
struct VectorTests {
    private static let defaultLimit = 64 << 20

    @Test("a stream is read as its vector says, in whatever portions it comes", arguments: Vectors.native.streams)
    func stream(_ vector: Vectors.Stream) {
        let limit = vector.limit ?? Self.defaultLimit
        let bytes = vector.bytes
        let reading = Reading(whole: bytes, limit: limit)

        let wanted = vector.frames.map { frame in
            Reading.Frame(kind: FrameKind(name: frame.kind), handleCount: frame.descriptors ?? 0, bytes: frame.bytes)
        }
        #expect(reading.frames == wanted)
        #expect(reading.error?.name == vector.error, "\(String(describing: reading.error))")
        #expect(reading.atEnd?.name == vector.atEnd)

        #expect(Reading(byteByByte: bytes, limit: limit) == reading)
        for index in bytes.indices.prefix(600) {
            #expect(Reading(bytes, cutAt: index, limit: limit) == reading, "cut at \(index)")
        }
    }

    @Test("there is a vector for every error, and no name of an error that there is not")
    func coverage() {
        let named = Set(Vectors.native.streams.flatMap { [$0.error, $0.atEnd] }.compactMap(\.self))
        #expect(named == WireError.names)
    }

    @Test("no two vectors have the same name")
    func names() {
        #expect(Set(Vectors.native.streams.map(\.name)).count == Vectors.native.streams.count)
        #expect(Set(Vectors.native.payloads.map(\.name)).count == Vectors.native.payloads.count)
    }

    @Test("a JSON text is taken, or refused for the reason that its vector gives", arguments: Vectors.native.payloads)
    func payload(_ vector: Vectors.Payload) {
        let reason = vector.bytes.withUnsafeBytes { bytes -> String? in
            do throws(JSONError) {
                _ = try JSONDocument(parsing: bytes).json
                return nil
            } catch {
                return "\(error.code)"
            }
        }
        #expect(reason == vector.error)
    }
}

extension FrameKind {
    fileprivate init(name: String) {
        guard let kind = Self.allCases.first(where: { "\($0)" == name }) else {
            preconditionFailure("a vector names the kind \(name)")
        }
        self = kind
    }
}
