import Wire

/// Whatever the bytes are, and however they are cut into portions: nothing traps, the same frames come and the same
/// error ends them, and the decoder holds no more memory than its limits say.
///
/// The first byte of an input chooses the mode, the second is the seed of the portions, and the rest is the stream.
///
///     FORK_FUZZING=1 swift build -c release --product FuzzFrames --scratch-path .build-fuzz \
///         --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
///     .build-fuzz/release/FuzzFrames -max_total_time=60 -max_len=4096 fuzz-corpus
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count >= 2 else { return 0 }
    let input = UnsafeRawBufferPointer(start: start, count: count)
    // A stream without a hello ends at its first frame, so one mode begins with one.
    let stream = (input[0] & 1 == 0 ? [] : hello) + input[2...]

    let whole = Outcome(stream) { $0 }
    let single = Outcome(stream) { _ in 1 }
    precondition(whole == single, "Byte by byte \(single), but whole \(whole)")
    var random = Portions(seed: input[1])
    let portioned = Outcome(stream) { random.next(upTo: $0) }
    precondition(whole == portioned, "In portions \(portioned), but whole \(whole)")

    random = Portions(seed: input[1])
    checkMemory(stream) { random.next(upTo: $0) }
    return 0
}

/// Small, so that inputs of a few kilobytes pass it.
private let messageLimit = 2048

/// Arrays double as they grow; besides them the decoder has nothing on the heap.
private let memoryLimit = 2 * (messageLimit + FrameDecoder.controlLimit) + 4096

private let hello: [UInt8] = {
    guard let frame = try? Hello(messageLimit: messageLimit).frame() else { preconditionFailure("A hello of our own.") }
    return frame
}()

/// What a stream gave.
private struct Outcome: Equatable {
    struct Frame: Equatable {
        let kind: FrameKind
        let handleCount: Int
        let body: [UInt8]
    }

    private(set) var frames: [Frame] = []
    private(set) var error: WireError?

    /// - Parameter portion: how many bytes come next, 1 to as many as there are left.
    init(_ stream: [UInt8], portion: (Int) -> Int) {
        var decoder = FrameDecoder(messageLimit: messageLimit)
        do throws(WireError) {
            var rest = stream[...]
            while !rest.isEmpty {
                let bytes = rest.prefix(portion(rest.count))
                rest = rest.dropFirst(bytes.count)
                try decoder.feed(bytes) { take($0) }
            }
            try decoder.endOfStream()
        } catch {
            self.error = error
        }
    }

    private mutating func take(_ frame: InboundFrame) {
        let body = frame.withBytes { Array($0) }
        let limit = frame.kind.isControl ? FrameDecoder.controlLimit : messageLimit
        precondition(body.count <= limit, "A \(frame.kind) of \(body.count) bytes is over the limit.")
        // What the channel makes of them must not trap either.
        switch frame.kind {
        case .hello: _ = try? frame.withBytes { try Hello(body: $0) }
        case .abort: _ = frame.withBytes { Abort(body: $0) }
        default: break
        }
        frames.append(Frame(kind: frame.kind, handleCount: frame.handleCount, body: body))
    }
}

/// Decodes a stream whose frames nobody keeps, and looks at the memory after each portion.
private func checkMemory(_ stream: [UInt8], portion: (Int) -> Int) {
    let before = allocatedBytes()
    var decoder = FrameDecoder(messageLimit: messageLimit)
    var rest = stream[...]
    while !rest.isEmpty {
        let bytes = rest.prefix(portion(rest.count))
        rest = rest.dropFirst(bytes.count)
        guard (try? decoder.feed(bytes) { _ in }) != nil else { return }
        let held = allocatedBytes() - before
        precondition(held <= memoryLimit, "The decoder holds \(held) bytes.")
    }
}

extension FrameDecoder {
    fileprivate mutating func feed(
        _ portion: ArraySlice<UInt8>, _ take: (InboundFrame) -> Void
    ) throws(WireError) {
        // Memory of its own, of exactly this size and only for this time, so that AddressSanitizer sees a decoder that
        // reads past its portion or keeps what it was lent.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: portion.count, alignment: 1)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: portion)
        var input = UnsafeRawBufferPointer(bytes)
        while let frame = try next(from: &input) { take(frame) }
        precondition(input.isEmpty, "The decoder waits for more and has not used what it has.")
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
