import Glibc
import JSONCodec
import Reactor
import Wire

@testable import Messaging

/// Whatever the bytes are, and however they are cut into portions: nothing traps, the same frames come and the same
/// error ends them, no descriptor stays open, and no more memory is held than what has come accounts for.
///
/// The first byte of an input chooses the mode, the second is the seed of the portions, and the rest is the stream.
/// What reads it is `Reading`, which is also what the tests read their vectors with.
///
///     FORK_FUZZING=1 swift build -c release --product FuzzFrames --scratch-path .build-fuzz \
///         --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld -Xswiftc -enable-testing
///     .build-fuzz/release/FuzzFrames -max_total_time=60 -max_len=4096 fuzz-corpus
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count >= 2 else { return 0 }
    let input = UnsafeRawBufferPointer(start: start, count: count)
    let mode = Mode(input[0])
    let stream = ExampleStream((mode.beginsWithHello ? hello : []) + input[2...])

    let whole = mode.reading(stream, cutAt: [])
    check(whole)
    let single = mode.reading(stream, cutAt: Array(1..<max(1, stream.bytes.count)))
    precondition(whole == single, "Byte by byte \(single), but whole \(whole)")
    var portions = Portions(seed: input[1])
    let cuts = portions.cuts(of: stream.bytes.count)
    let portioned = mode.reading(stream, cutAt: cuts)
    precondition(whole == portioned, "In portions \(portioned), but whole \(whole)")
    let settled = mode.reading(stream, cutAt: cuts, settles: true)
    precondition(whole == settled, "With bytes given back \(settled), but whole \(whole)")
    checkDescriptors()

    checkMemory(stream, mode, cuts)
    return 0
}

/// Small, so that inputs of a few kilobytes pass it.
private let messageLimit = 2048

private let hello: [UInt8] = {
    guard let frame = try? Hello(limits: Hello.Limits(message: 65_536, window: 262_144, ids: 8)).frame() else {
        preconditionFailure("A hello of our own.")
    }
    return frame
}()

/// Who reads, and what comes with the bytes.
private struct Mode {
    /// A stream without a hello ends at its first frame.
    let beginsWithHello: Bool
    let side: Reading.Side
    private let handles: UInt8

    init(_ byte: UInt8) {
        beginsWithHello = byte & 1 != 0
        var side = Reading.Side(messageLimit: messageLimit, window: 8192, ids: 4)
        side.hasConsumer = byte & 2 != 0
        // What is taken is granted again, sooner or later, as it comes: no limit may be near.
        if side.hasConsumer { side.window = 1 << 40 }
        side.isMaker = byte & 4 == 0
        side.opened = Int(byte >> 3 & 3)
        self.side = side
        handles = byte >> 5 & 3
    }

    func reading(_ stream: ExampleStream, cutAt cuts: [Int], settles: Bool = false) -> Reading {
        Reading(stream, by: side, cutAt: cuts, settles: settles, arrival: arrival)
    }

    /// What comes where handles are announced: these, or none, or fewer because no descriptors were free.
    func arrival(_ count: Int) -> ArrivedHandles? {
        if handles == 1 { return nil }
        if handles == 0, count <= 8 { return .real(count) }
        return ArrivedHandles(handles: SharedDescriptors(DescriptorList()), isTruncated: true)
    }
}

/// What holds of every reading.
private func check(_ reading: Reading) {
    for frame in reading.frames {
        if case .bytes(let body) = frame.content {
            precondition(body.array.count <= messageLimit, "A \(frame.kind) is over the limit.")
        }
    }
    precondition(reading.reported.count <= 1, "More than one error ended the channel: \(reading.reported)")
    if let error = reading.error {
        precondition(reading.reported == [error], "\(error) was not reported.")
        // What becomes of it must not trap either.
        precondition((try? Abort(message: error.description).frame()) != nil, "\(error) can't be told.")
    }
}

private func checkDescriptors() {
    let lowest = fcntl(0, F_DUPFD_CLOEXEC, 400)
    precondition(lowest == 400, "A descriptor stayed open.")
    close(lowest)
}

/// Reads a stream whose messages nobody takes, and looks at the memory after each portion. Headers and lengths may
/// reserve a little; what has come may take much, because small messages do.
private func checkMemory(_ stream: ExampleStream, _ mode: Mode, _ cuts: [Int]) {
    var side = mode.side
    side.hasConsumer = false
    let before = allocatedBytes()
    var reader = SideReader(side, takesNotes: false)
    for (range, handleCount) in stream.reads(cuts) {
        reader.read(stream.bytes[range], handleCount.flatMap(mode.arrival))
        let begun = reader.inbound.lanes.values.count { $0.begun != nil } + (reader.inbound.main.begun == nil ? 0 : 1)
        let held = allocatedBytes() - before
        precondition(
            held <= 32 * 1024 + 64 * 1024 * begun + 48 * range.upperBound,
            "\(held) bytes are held of \(range.upperBound).")
    }
}

/// Lengths of portions, mostly short, the same for the same seed.
private struct Portions {
    private var state: UInt64

    init(seed: UInt8) {
        state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    mutating func next(upTo count: Int) -> Int {
        // xorshift64
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        let longest = state & 0x700 == 0 ? 512 : 16
        return min(Int(state >> 32) % longest + 1, count)
    }

    /// Where a stream is cut.
    mutating func cuts(of count: Int) -> [Int] {
        var cuts: [Int] = []
        var position = 0
        while position < count {
            position += next(upTo: count - position)
            if position < count { cuts.append(position) }
        }
        return cuts
    }
}

/// How much memory the program has allocated and not freed. AddressSanitizer counts it.
@_silgen_name("__sanitizer_get_current_allocated_bytes")
private func allocatedBytes() -> Int

/// SwiftPM gives every executable an entry point of its own, so libFuzzer's `main` is not used but its driver is
/// called.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ target: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

@main
enum FuzzFrames {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        _ = runDriver(&count, &arguments, fuzz)
    }
}
