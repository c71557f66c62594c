import Foundation
import Testing

/// How much memory this process has reserved, touched or not.
enum AddressSpace {
    static func size() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return try #require(status.split(separator: " ").first.flatMap { Int($0) }) * 4096
    }
}
