import Fork
import Foundation
import Testing

/// That this file compiles is the test: both meanings of `Process`, each found by its members.
@Suite("Beside Foundation")
struct FoundationTests {
    @Test("Process.onMessage and Foundation's Process() live in one file")
    func bothProcesses() throws {
        let subscription = Process.onMessage { message in
            try Process.send(message.json)
        }
        subscription.cancel()

        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "exit 3"]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 3)
    }

    @Test("Foundation's values are messages like any other Codable value")
    func foundationValues() throws {
        let id = UUID()
        let value = try JSON(encoding: [id])
        #expect(value == [.string(id.uuidString)])
        #expect(try value.decode([UUID].self) == [id])
    }
}
