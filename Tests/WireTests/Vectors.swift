import Foundation
import Testing

/// `Protocols/vectors/native-v1.json`, which says of itself in `Protocols/README.md` what its members mean.
struct Vectors: Decodable {
    struct Part: Decodable {
        let hex: String
        let `repeat`: Int?

        var bytes: [UInt8] {
            let bytes = [UInt8](hex: hex)
            return Array(repeatElement(bytes, count: `repeat` ?? 1).joined())
        }
    }

    struct Frame: Decodable {
        let kind: String
        let body: String?
        let bodyHex: String?
        let bodyParts: [Part]?
        let descriptors: Int?

        var bytes: [UInt8] { body.map { Array($0.utf8) } ?? Part.bytes(bodyHex, bodyParts) }
    }

    struct Stream: Decodable, CustomTestStringConvertible {
        let name: String
        let limit: Int?
        let hex: String?
        let parts: [Part]?
        let frames: [Frame]
        let error: String?
        let atEnd: String?

        var bytes: [UInt8] { Part.bytes(hex, parts) }
        var testDescription: String { name }
    }

    struct Payload: Decodable, CustomTestStringConvertible {
        let name: String
        let body: String?
        let bodyHex: String?
        let parts: [Part]?
        let error: String?

        var bytes: [UInt8] { body.map { Array($0.utf8) } ?? Part.bytes(bodyHex, parts) }
        var testDescription: String { name }
    }

    let streams: [Stream]
    let payloads: [Payload]

    static let native: Vectors = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let file = folder.appendingPathComponent("../../Protocols/vectors/native-v1.json").standardized
        do {
            return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
        } catch {
            fatalError("\(file.path) can't be read: \(error)")
        }
    }()
}

extension Vectors.Part {
    fileprivate static func bytes(_ hex: String?, _ parts: [Vectors.Part]?) -> [UInt8] {
        hex.map { [UInt8](hex: $0) } ?? (parts ?? []).flatMap(\.bytes)
    }
}

extension [UInt8] {
    /// Reads pairs of hexadecimal digits; spaces may stand anywhere.
    init(hex: String) {
        let digits = hex.filter { $0 != " " }.map { digit in
            guard let value = digit.hexDigitValue else { preconditionFailure("'\(digit)' is no hexadecimal digit") }
            return UInt8(value)
        }
        precondition(digits.count.isMultiple(of: 2), "an odd number of hexadecimal digits")
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
