import Fork
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite("Paths")
struct PathTests {
    /// A new directory for the time of the body.
    private func withDirectory(_ body: (FilePath) async throws -> Void) async throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("fork-paths-\(UUID())")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        defer {
            // Foundation can't name what is in it.
            let removal = try? Foundation.Process.run(URL(fileURLWithPath: "/bin/rm"), arguments: ["-rf", url.path])
            removal?.waitUntilExit()
        }
        try await body(FilePath(url.path))
    }

    /// A path in the directory that is not UTF-8.
    private func path(_ name: String, in directory: FilePath) -> FilePath {
        let bytes = bytes(of: directory) + [UInt8(ascii: "/"), 0xFF] + Array(name.utf8) + [0]
        return FilePath(platformString: bytes.map { CChar(bitPattern: $0) })
    }

    private func bytes(of path: FilePath) -> [UInt8] {
        path.withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    private func write(_ text: String, to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .closeOnExec], permissions: [.ownerReadWriteExecute])
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    private func content(of path: FilePath) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        return try file.closeAfter {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
            return Array(bytes.prefix(count))
        }
    }

    @Test("the bytes of a path that is not UTF-8 arrive as they are: program, interpreter, directory and files")
    func notUTF8() async throws {
        try await withDirectory { parent in
            let directory = path("directory", in: parent)
            try #require(directory.withPlatformString { mkdir($0, 0o700) } == 0)
            let script = path("script", in: directory)
            // A child that is given a shell as its interpreter, and one that finds it by itself.
            try write("#!/bin/sh\npwd\necho \"$0\"\ncat\n", to: script)
            let shell = path("shell", in: directory)
            try #require(shell.withPlatformString { symlink("/bin/sh", $0) } == 0)
            let input = path("input", in: directory)
            try write("read\n", to: input)
            for interpreter in [nil, ChildProcess.Interpreter(shell)] {
                let output = path("output", in: directory)
                var options = ChildProcess.Options()
                options.interpreter = interpreter
                options.workingDirectory = directory
                options.standardInput = .file(input)
                options.standardOutput = .file(output)
                let child = try ChildProcess.fork(path: script, options: options)
                #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
                let expected = bytes(of: directory) + [10] + bytes(of: script) + Array("\nread\n".utf8)
                #expect(try content(of: output) == expected)
            }
        }
    }

    @Test("a path that is not UTF-8 is shown readably in an error")
    func shown() async throws {
        let error = #expect(throws: ForkError.self) {
            try ChildProcess.fork(path: path("missing", in: "/nowhere"))
        }
        #expect(error?.message == "Could not start '/nowhere/\u{FFFD}missing': there is no such file")
    }

    @Test("a path can be a literal, a string or a FilePath, wherever one is asked for")
    func kinds() async throws {
        let text = String("/bin/true")
        let path = FilePath(text)
        let children = [
            try ChildProcess.fork(path: "/bin/true"), try ChildProcess.fork(path: text),
            try ChildProcess.fork(path: path),
        ]
        for child in children {
            #expect(try await within { try await child.waitForExit() } == .exited(code: 0))
        }
        for body in [
            { try await ChildProcess.withFork(path: "/bin/true") { try await $0.waitForExit() } },
            { try await ChildProcess.withFork(path: text) { try await $0.waitForExit() } },
            { try await ChildProcess.withFork(path: path) { try await $0.waitForExit() } },
        ] as [@Sendable () async throws -> ChildProcess.ExitStatus] {
            #expect(try await within { try await body() } == .exited(code: 0))
        }
        var options = ChildProcess.Options()
        options.workingDirectory = "/usr"
        #expect(options.workingDirectory == FilePath("/usr"))
        #expect(ChildProcess.Interpreter("sh") == ChildProcess.Interpreter(FilePath("sh")))
        let streams: [ChildProcess.Stream] = [.file("/bin/true"), .file(text), .file(path)]
        #expect(Set(streams).count == 1)
        #expect(ChildProcess.Stream.file("a", append: true) == .file(FilePath("a"), append: true))
    }
}
