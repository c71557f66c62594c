@testable import Wire

/// What a stream of bytes was read as.
struct Reading: Equatable {
    struct Frame: Equatable {
        var kind: FrameKind
        var handleCount: Int
        var bytes: [UInt8]
    }

    var frames: [Frame] = []
    var error: WireError?
    /// What is wrong with an end here; not asked for after an error.
    var atEnd: WireError?

    /// Reads a stream as a channel does: every hello is checked, and nothing is read after an error.
    init(_ portions: some Sequence<ArraySlice<UInt8>>, limit: Int) {
        var decoder = FrameDecoder(messageLimit: limit)
        do throws(WireError) {
            for portion in portions { try read(portion, &decoder) }
        } catch {
            self.error = error
            return
        }
        do throws(WireError) { try decoder.endOfStream() } catch { atEnd = error }
    }

    private mutating func read(_ portion: ArraySlice<UInt8>, _ decoder: inout FrameDecoder) throws(WireError) {
        // A copy of exactly this size, so that reading past its end is found by a sanitizer.
        try Array(portion).withUnsafeBufferPointer { buffer throws(WireError) in
            var input = UnsafeRawBufferPointer(buffer)
            while let frame = try decoder.next(from: &input) {
                if frame.kind == .hello {
                    _ = try frame.withBytes { bytes throws(WireError) in try Hello(body: bytes) }
                }
                frames.append(Frame(kind: frame.kind, handleCount: frame.handleCount, bytes: frame.bytes()))
            }
        }
    }

    init(whole bytes: [UInt8], limit: Int) {
        self.init([bytes[...]], limit: limit)
    }

    init(byteByByte bytes: [UInt8], limit: Int) {
        self.init(bytes.indices.lazy.map { bytes[$0...$0] }, limit: limit)
    }

    init(_ bytes: [UInt8], cutAt index: Int, limit: Int) {
        self.init([bytes[..<index], bytes[index...]], limit: limit)
    }
}

extension WireError {
    /// The name that the specification gives it.
    var name: String {
        switch self {
        case .lengthTooSmall: "lengthTooSmall"
        case .tooLong: "tooLong"
        case .unknownKind: "unknownKind"
        case .unknownFlags: "unknownFlags"
        case .noHello: "noHello"
        case .repeatedHello: "repeatedHello"
        case .badHello: "badHello"
        case .unsupportedVersion: "unsupportedVersion"
        case .interruptedMessage: "interruptedMessage"
        case .fragmentedControl: "fragmentedControl"
        case .truncated: "truncated"
        case .handlesDoNotMatch: "handlesDoNotMatch"
        case .answersUnread: "answersUnread"
        }
    }

    static let names: Set = [
        "lengthTooSmall", "tooLong", "unknownKind", "unknownFlags", "noHello", "repeatedHello", "badHello",
        "unsupportedVersion", "interruptedMessage", "fragmentedControl", "truncated", "handlesDoNotMatch",
    ]
}
