// The parent of a JavaScript worker that knows nothing of it: `parent <path of the worker>`.

import Fork
import Glibc

struct Article: Codable, Sendable {
    var title: String
    /// The worker's answer has it.
    var slug: String?
}

func run(_ path: String) async throws {
    let worker = try ChildProcess.fork(path: path, options: .node())
    worker.onError { print("[Swift] error:", $0) }
    var answers = worker.messages(of: Article.self).makeAsyncIterator()
    for title in ["Crème Brûlée à la carte", "Größe & Gewicht", "Ελληνικά, 100 %", "½ price — today!"] {
        try await worker.send(Article(title: title))
        guard let article = try await answers.next(), let slug = article.slug else { break }
        print("[Swift] \(article.title) -> \(slug)")
    }
    do {
        // JavaScript has no such number. It is refused here, and not rounded there.
        try await worker.send(Int64.max)
    } catch let error as ForkError {
        print("[Swift] \(error.code): \(error.message)")
    }
    worker.disconnect()
    print("[Swift] the worker has", try await worker.waitForExit())
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
