import JSONCodec
import TestSupport
import Testing

@Suite("Payload vectors of the native protocol")
struct VectorTests {
    @Test("no two vectors have the same name")
    func names() {
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
