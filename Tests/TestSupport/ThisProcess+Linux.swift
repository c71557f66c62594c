#if os(Linux)
    internal import Glibc

    /// What `/proc` says of the running process.
    package enum ThisProcess {
        /// The open descriptors and what they refer to.
        package static var descriptors: [Int: String] {
            var result: [Int: String] = [:]
            for name in entries(of: "/proc/self/fd") {
                guard let number = Int(name), let target = linkTarget("/proc/self/fd/\(name)") else { continue }
                // The concurrency runtime's, which come and go.
                if target == "anon_inode:[timerfd]" { continue }
                // The directory itself, which was open while it was read.
                if target.hasSuffix("/fd"), target.hasPrefix("/proc/") { continue }
                result[number] = target
            }
            return result
        }

        /// The open descriptors once the concurrency runtime, which opens some of its own with its first timers, has
        /// done so. For processes in which nothing else runs.
        package static func settledDescriptors() async throws -> [Int: String] {
            try await Task.sleep(for: .milliseconds(1), clock: .continuous)
            try await Task.sleep(for: .milliseconds(1), clock: .suspending)
            var last = descriptors
            while true {
                try await Task.sleep(for: .milliseconds(50))
                let now = descriptors
                if now == last { return now }
                last = now
            }
        }

        package static var threadNames: [String] {
            entries(of: "/proc/self/task").compactMap { name in
                guard let file = fopen("/proc/self/task/\(name)/comm", "re") else { return nil }
                defer { fclose(file) }
                var buffer = [CChar](repeating: 0, count: 64)
                guard fgets(&buffer, CInt(buffer.count), file) != nil else { return nil }
                return String(
                    decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        }

        private static func linkTarget(_ path: String) -> String? {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let capacity = buffer.count
            let count = buffer.withUnsafeMutableBytes {
                readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), capacity)
            }
            return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
        }

        private static func entries(of path: String) -> [String] {
            guard let directory = opendir(path) else { return [] }
            defer { closedir(directory) }
            var names: [String] = []
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { names.append(name) }
            }
            return names
        }
    }
#endif
