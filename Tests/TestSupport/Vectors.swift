internal import Foundation

/// `Protocols/vectors/native-v1.json`; `README.md` beside it says what its members mean.
package struct Vectors: Decodable, Sendable {
    package struct Part: Decodable, Sendable {
        let hex: String
        let `repeat`: Int?

        package var bytes: [UInt8] {
            let bytes = [UInt8](hex: hex)
            let count = `repeat` ?? 1
            // What is repeated often is one byte, and that need not take long.
            if bytes.count == 1 { return [UInt8](repeating: bytes[0], count: count) }
            return Array(repeatElement(bytes, count: count).joined())
        }
    }

    package struct Description: Decodable, Sendable {
        package let name: String?
        package let timeout: Int?
        package let trace: [String: String]?
    }

    package struct Reason: Decodable, Sendable {
        package let code: String
        package let message: String
    }

    package struct Frame: Decodable, Sendable {
        package let kind: String
        package let id: UInt64?
        let body: String?
        let bodyHex: String?
        let bodyParts: [Part]?
        package let open: Bool?
        package let description: Description?
        package let descriptors: Int?
        package let reason: Reason?

        package var bytes: [UInt8] { body.map { Array($0.utf8) } ?? Part.bytes(bodyHex, bodyParts) }
    }

    package struct Stream: Decodable, Sendable, CustomStringConvertible {
        package let name: String
        package let side: String?
        package let limit: Int?
        package let window: Int?
        package let ids: Int?
        package let opened: Int?
        let hex: String?
        let parts: [Part]?
        package let frames: [Frame]
        package let error: String?
        package let atEnd: String?

        package var bytes: [UInt8] { Part.bytes(hex, parts) }
        package var description: String { name }
    }

    package struct Payload: Decodable, Sendable, CustomStringConvertible {
        package let name: String
        let body: String?
        let bodyHex: String?
        let parts: [Part]?
        package let error: String?

        package var bytes: [UInt8] { body.map { Array($0.utf8) } ?? Part.bytes(bodyHex, parts) }
        package var description: String { name }
    }

    package let streams: [Stream]
    package let payloads: [Payload]

    package static let native: Vectors = read("native-v1.json")

    /// Reads a file of the folder `Protocols/vectors`.
    package static func read<File: Decodable>(_ name: String) -> File {
        do {
            return try JSONDecoder().decode(File.self, from: Data(text("vectors/\(name)").utf8))
        } catch {
            fatalError("\(name) can't be read: \(error)")
        }
    }

    /// The text of a file of the folder `Protocols`.
    package static func text(_ name: String) -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let file = folder.appendingPathComponent("../../Protocols/\(name)").standardized
        do {
            return try String(contentsOf: file, encoding: .utf8)
        } catch {
            fatalError("\(file.path) can't be read: \(error)")
        }
    }
}

extension Vectors.Part {
    fileprivate static func bytes(_ hex: String?, _ parts: [Vectors.Part]?) -> [UInt8] {
        hex.map { [UInt8](hex: $0) } ?? (parts ?? []).flatMap(\.bytes)
    }
}

extension [UInt8] {
    /// Reads pairs of hexadecimal digits; spaces may stand anywhere.
    package init(hex: String) {
        let digits = hex.utf8.filter { $0 != UInt8(ascii: " ") }.map { digit in
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: preconditionFailure("'\(UnicodeScalar(digit))' is no hexadecimal digit")
            }
        }
        precondition(digits.count.isMultiple(of: 2), "an odd number of hexadecimal digits")
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
