import Fork
import Foundation
import Reactor
import TestSupport
import Testing

/// The child programs that the tests start; they lie beside the test bundle.
enum Fixture {
    static let directory = Fork.Process.executableDirectory

    static var child: String { path("fixture-child") }
    static var raw: String { path("fixture-raw") }
    static var parent: String { path("fixture-parent") }

    private static func path(_ name: String) -> String {
        // Beside the tests' own executable, or beside the bundle where a runner of the toolchain loads it.
        let bundle = Bundle.main.bundleURL.path
        for directory in [directory, bundle] where FileManager.default.isExecutableFile(atPath: directory + "/" + name)
        {
            return directory + "/" + name
        }
        return directory + "/" + name
    }

    /// Starts the child that behaves as named.
    static func fork(
        _ behaviour: String..., options: ChildProcess.Options = .init()
    ) throws -> ChildProcess {
        var options = options
        // A child that is killed on purpose would otherwise spend seconds on a backtrace.
        if case .inherit = options.environment {
            options.environment = .inheritUpdating(["SWIFT_BACKTRACE": "enable=no"])
        }
        return try ChildProcess.fork(path: child, arguments: behaviour, options: options)
    }

    /// What a child says of itself whose behaviour is `report`.
    static func report(_ child: ChildProcess) async throws -> JSON {
        var messages = child.messages.makeAsyncIterator()
        let message = await messages.next()
        return try #require(message).json
    }

    /// Starts a child that writes these bytes to its channel, all or the first few, and then does as told.
    static func raw(_ bytes: [UInt8], first count: Int = -1, then end: String = "wait") throws -> ChildProcess {
        let digits = bytes.map { String(format: "%02x", $0) }.joined()
        return try ChildProcess.fork(path: raw, arguments: ["\(count)", end, digits])
    }

    /// Runs the parent program to its end and returns its lines.
    static func runParent(_ arguments: String...) async throws -> [String] {
        let process = Foundation.Process()
        process.executableURL = URL(fileURLWithPath: parent)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = await blocking {
            defer { process.waitUntilExit() }
            return pipe.fileHandleForReading.readDataToEndOfFile()
        }
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// Runs what blocks on a thread of its own: the threads of the concurrency pool are as few as the cores, and all other
/// tests need them.
func blocking<Result: Sendable>(_ body: @escaping () -> Result) async -> Result {
    nonisolated(unsafe) let body = body
    return await withCheckedContinuation { continuation in
        Foundation.Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}

/// Everything that happens to a child, by its handlers, in order.
final class Recorder: Sendable {
    enum Entry: Equatable {
        case spawn
        case message(JSON)
        case bytes(Int)
        case error(ForkError.Code)
        case disconnect
        case exit(ChildProcess.ExitStatus)
        case close
    }

    private let entries = Locked<[Entry]>([])

    /// Attaches handlers for everything. The messages' last, so that not one is read before the others are there.
    init(_ child: ChildProcess) {
        child.onSpawn { self.add(.spawn) }
        child.onError { self.add(.error($0.code)) }
        child.onDisconnect { self.add(.disconnect) }
        child.onExit { self.add(.exit($0)) }
        child.onClose { self.add(.close) }
        child.onMessage { message in
            self.add(message.bytes.map { .bytes($0.count) } ?? .message(message.json))
        }
    }

    private func add(_ entry: Entry) {
        entries.withLock { $0.append(entry) }
    }

    var all: [Entry] { entries.withLock { $0 } }

    var messages: [JSON] {
        all.compactMap { if case .message(let json) = $0 { json } else { nil } }
    }

    var errors: [ForkError.Code] {
        all.compactMap { if case .error(let code) = $0 { code } else { nil } }
    }
}

/// All events of a child until its close event.
func allEvents(_ child: ChildProcess) async throws -> [ChildProcess.Event] {
    try await within {
        var events: [ChildProcess.Event] = []
        for await event in child.events { events.append(event) }
        return events
    }
}

/// Waits for the close event of a child.
func closed(_ child: ChildProcess) async throws {
    try await within {
        let stream = AsyncStream<Void> { continuation in
            child.onClose { continuation.finish() }
        }
        for await _ in stream {}
    }
}

enum Probe {
    /// Whether a process of this number exists and is not a zombie.
    static func isRunning(_ pid: Int32) -> Bool {
        guard let state = state(pid) else { return false }
        return state != "Z"
    }

    /// The letter by which the kernel tells what a process does; nil where there is none.
    static func state(_ pid: Int32) -> String? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return nil }
        // After the name, which is in parentheses and may hold anything.
        return status.split(separator: ")").last?.split(separator: " ").first.map(String.init)
    }

    /// How often each thread of a process has been switched to or from.
    static func contextSwitches(_ pid: Int32) throws -> [String: [String]] {
        var switches: [String: [String]] = [:]
        for thread in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task") {
            let status = try String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
            switches[thread] = status.split(separator: "\n").filter { $0.contains("ctxt_switches") }.map(String.init)
        }
        return switches
    }

    static var threadNames: [String] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return tasks.compactMap { try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8) }
            .map { $0.trimmingCharacters(in: .newlines) }
    }

    /// The memory that this process has resident, in bytes.
    static var residentMemory: Int {
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(statm.split(separator: " ").dropFirst().first ?? "") ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
