// The parent of a Python worker: `parent <path of the worker>`.

import Fork
import Glibc

struct Description: Decodable {
    var mean: Double
    var median: Double
}

func run(_ path: String) async throws {
    var options = ChildProcess.Options()
    options.interpreter = .init("python3")
    try await ChildProcess.withFork(path: path, options: options) { worker in
        worker.onError { print("[Swift] error:", $0) }
        var answers = worker.messages.makeAsyncIterator()
        let numbers = [3, 1, 4, 1, 5, 9, 2, 6]
        try await worker.send(numbers)
        if let description = try await answers.next()?.decode(Description.self) {
            print("[Swift] \(numbers): the mean is \(description.mean), the median \(description.median)")
        }
        // Bytes go as they are, without any JSON.
        try await worker.send(bytes: Array("Hello".utf8))
        if let answer = await answers.next() {
            print("[Swift] the hash of Hello is", answer.json["sha256"]?.stringValue ?? "unknown")
        }
        worker.disconnect()
        print("[Swift] the worker has", try await worker.waitForExit())
    }
}

guard CommandLine.arguments.count == 2 else {
    print("usage: parent <path of the worker>")
    exit(2)
}
do {
    try await run(CommandLine.arguments[1])
} catch {
    print("[Swift] failed:", error)
    exit(1)
}
