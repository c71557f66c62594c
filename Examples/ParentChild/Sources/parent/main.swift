// The parent. It starts two children, talks to one after the other, and sees how each ends.

import Fork
import Glibc

struct Rectangle: Codable {
    var width: Double
    var height: Double
}

struct Area: Codable {
    var area: Double
}

func say(_ text: String) {
    print("[Parent] \(text)")
    // Parent and children write to one output; this keeps the lines in the order in which things happen.
    fflush(nil)
}

/// A child with a name, and its answers one by one.
struct Partner {
    let name: String
    let child: ChildProcess
    var answers: MessageSequence.AsyncIterator

    init(name: String) throws {
        say("start the \(name) child")
        self.name = name
        child = try ChildProcess.fork(path: Process.executableDirectory + "/child")
        child.onError { say("error: \($0)") }
        answers = child.messages.makeAsyncIterator()
    }

    mutating func ask(_ text: String) async throws {
        try await child.send(text)
        guard let answer = await answers.next() else { return }
        say("\(text) -> \(name) child -> \(answer.json.stringValue ?? "no text")")
    }

    /// Any Codable value can be a message, in both directions.
    mutating func ask(_ rectangle: Rectangle) async throws {
        try await child.send(rectangle)
        guard let answer = try await answers.next()?.decode(Area.self) else { return }
        say("\(rectangle) -> \(name) child -> \(answer)")
    }

    func end() async throws {
        say("disconnect the \(name) child")
        child.disconnect()
        say("the \(name) child has \(try await child.waitForExit())")
    }
}

do {
    var first = try Partner(name: "first")
    try await first.ask("Hello")
    var second = try Partner(name: "second")
    try await second.ask("Hello")

    try await first.ask("How are you?")
    try await second.ask("And you?")

    try await first.ask(Rectangle(width: 3, height: 1.5))
    try await second.ask(Rectangle(width: 6, height: 7))

    try await first.end()
    try await second.end()
} catch {
    say("failed: \(error)")
    exit(1)
}
