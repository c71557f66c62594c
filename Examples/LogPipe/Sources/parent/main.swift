// The parent. The child's lines become messages of its log; it sees when the last of them has been logged.

import Fork
import Glibc
import Logging

let logger = Logger(label: "log-pipe") { _ in Lines() }

do {
    let child = try ChildProcess.fork(path: Process.executableDirectory + "/child", options: .silent)
    // No task to keep: each ends with its stream.
    let errors = child.standardError?.forwardLines(to: logger, level: .warning)
    try await child.standardInput?.write("seven\n")
    child.standardInput?.finish()
    // Two streams have no order between them; this way the log is the same each time.
    await errors?.value
    await child.standardOutput?.forwardLines(to: logger).value
    let status = try await child.waitForExit()
    logger.info("the child has \(status)")

    let second = try ChildProcess.fork(path: Process.executableDirectory + "/child", options: .silent)
    second.standardOutput?.forwardLines(to: logger)
    try await second.standardInput?.write("7\n12\n")
    second.standardInput?.finish()
    // The close event comes after the last line.
    for await event in second.events {
        if case .close = event { logger.info("all has been logged") }
    }
} catch {
    logger.error("failed: \(error)")
    exit(1)
}
