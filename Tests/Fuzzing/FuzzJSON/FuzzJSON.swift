import JSONCodec

/// Whatever the bytes are: nothing traps, json-c judges them alike, and what is accepted is written again and read back
/// as an equal value.
///
///     FORK_FUZZING=1 swift build -c release --product FuzzJSON --scratch-path .build-fuzz \
///         --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
///     .build-fuzz/release/FuzzJSON -max_total_time=60 -max_len=4096 fuzz-corpus
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let text = UnsafeRawBufferPointer(start: start, count: count)
    compare(text, numbersAreDoubles: true)
    guard let document = compare(text, numbersAreDoubles: false) else { return 0 }
    let json = document.json
    var bytes: [UInt8] = []
    do {
        try JSONText.append(json, to: &bytes)
        let again = try bytes.withUnsafeBytes { try JSONDocument(parsing: $0) }
        precondition(again.json == json, "A value did not come back equal.")
    } catch {
        preconditionFailure("A text that was accepted could not be written and read again: \(error)")
    }
    _ = try? document.decode([String: [Double]].self)
    _ = try? document.decode([Record].self)
    return 0
}

/// What the scanner makes of a text against what json-c does.
@discardableResult
private func compare(_ text: UnsafeRawBufferPointer, numbersAreDoubles: Bool) -> JSONDocument? {
    let reference: JSONDocument
    do {
        reference = try JSONDocument(parsingWithJSONC: text, numbersAreDoubles: numbersAreDoubles)
    } catch {
        precondition(error.code != .parserFailure, "json-c and the scanner disagree: \(error)")
        do {
            _ = try JSONDocument(parsing: text, numbersAreDoubles: numbersAreDoubles)
            preconditionFailure("Only json-c refuses the text: \(error)")
        } catch let own {
            precondition(own.code == error.code && own.offset == error.offset, "\(own) instead of \(error)")
            return nil
        }
    }
    do {
        let document = try JSONDocument(parsing: text, numbersAreDoubles: numbersAreDoubles)
        precondition(document.json == reference.json, "json-c reads another value.")
        // Tells the order of keys and the sign of zero, and every double exactly.
        precondition(document.json.description == reference.json.description, "json-c reads the value otherwise.")
        return document
    } catch {
        preconditionFailure("Only the scanner refuses the text: \(error)")
    }
}

private struct Record: Codable {
    enum Kind: Codable {
        case a
        case b(Int)
        case c(x: [UInt8]?)
    }

    var id: Int8?
    var name: String
    var kind: Kind?
    var children: [Record]?
    var table: [Int: Float]?
}

/// SwiftPM gives every executable an entry point of its own, so libFuzzer's `main` is not used but its driver is
/// called.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ target: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

@main
enum FuzzJSON {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        _ = runDriver(&count, &arguments, fuzz)
    }
}
