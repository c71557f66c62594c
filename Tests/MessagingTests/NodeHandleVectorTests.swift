import JSONCodec
import SystemPackage
import TestSupport
import Testing
import Wire

@testable import Messaging
@testable import Reactor

/// `Protocols/node.md`, section 10: what a side does with handles that come and that it sends. What it closes is not
/// counted here; the tests of handles in the Node dialect see to that.
@Suite("Test vectors of the Node dialect's handles")
struct NodeHandleVectorTests {
    struct File: Decodable, Sendable {
        let handles: [Vector]
    }

    struct Vector: Decodable, Sendable, CustomStringConvertible {
        let name: String
        let steps: [Step]

        var description: String { name }
    }

    struct Step: Decodable, Sendable {
        let comes: String?
        let descriptors: Int?
        let sends: String?
        let type: String?
        let writes: [Line]?
        let gives: [Given]?
        let reports: [String]?
        let ends: Bool?
    }

    struct Line: Decodable, Sendable, Equatable {
        let text: String
        let descriptors: Int?
    }

    struct Given: Decodable, Sendable {
        let body: String
        let handle: Bool?
    }

    private static let vectors: [Vector] = (Vectors.read("node-json.json") as File).handles

    @Test("a side does what its vector says, step by step", arguments: vectors)
    func vector(_ vector: Vector) async throws {
        let (one, two) = try End.facingSocket(dialect: .node)
        for (index, step) in vector.steps.enumerated() {
            let place = "step \(index + 1) of: \(vector.name)"
            let before = one.journal.entries.count
            if let line = step.comes {
                let handles = try sockets(step.descriptors ?? 0)
                handles.withNumbers { two.write(Array((line + "\n").utf8), handles: Array($0)) }
            }
            if let message = step.sends { try send(message, type: step.type, one) }
            // What comes is noticed in one turn, answered in it or the next, and told.
            for _ in 0..<3 { try await one.settle() }
            let events = one.journal.entries.dropFirst(before)
            #expect(events.compactMap(\.report) == step.reports ?? [], "\(place)")
            if step.ends == true {
                try await eventually("the channel ends") { one.journal.entries.contains(.delivered) }
                return
            }
            let lines = try (step.writes ?? []).map { try Written($0) }
            #expect(try written(two) == lines, "\(place)")
            let given = events.compactMap(\.given)
            let wanted = try (step.gives ?? []).map { try JSON(parsing: $0.body) }
            #expect(given.map(\.json) == wanted, "\(place)")
            #expect(given.map(\.hasHandle) == (step.gives ?? []).map { $0.handle ?? false }, "\(place)")
        }
    }

    private func sockets(_ count: Int) throws -> DescriptorList {
        DescriptorList(owning: try (0..<count).map { _ in try System.socketPair().split { ours, _ in ours.take() } })
    }

    private func send(_ message: String, type: String?, _ end: End) throws {
        try end.channel.send(try JSON(parsing: message), handles: try sockets(type == nil ? 0 : 1))
    }

    /// A line that was written, as its value, and how many descriptors came with it.
    private struct Written: Equatable {
        let json: JSON
        let descriptors: Int

        init(_ line: Line) throws {
            json = try JSON(parsing: line.text)
            descriptors = line.descriptors ?? 0
        }

        init(_ text: Substring, _ descriptors: Int) throws {
            json = try JSON(parsing: String(text))
            self.descriptors = descriptors
        }
    }

    private func written(_ socket: PlainSocket) throws -> [Written] {
        var lines: [Written] = []
        while socket.bytesAvailable > 0 {
            let (bytes, handles) = try socket.readPiece()
            let texts = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            // The kernel ends a read behind the line that the descriptors came with.
            for (index, text) in texts.enumerated() {
                lines.append(try Written(text, index == texts.count - 1 ? handles.count : 0))
            }
        }
        return lines
    }
}

extension Event {
    fileprivate var given: (json: JSON, hasHandle: Bool)? {
        switch self {
        case .json(let json): (json, false)
        case .handles(let json, _): (json, true)
        default: nil
        }
    }

    /// The name of what the program is told of.
    fileprivate var report: String? {
        guard case .failed(let name) = self else { return nil }
        return name.hasPrefix("protocolViolation a frame announces") ? "handlesDoNotMatch" : name
    }
}
