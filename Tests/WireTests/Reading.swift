import Wire

/// What a stream of bytes is cut into.
struct Reading: Equatable {
    struct Frame: Equatable {
        var header: FrameHeader
        /// Where in the stream it begins.
        var position: UInt64
        var body: [UInt8]
    }

    var frames: [Frame] = []
    var error: WireError?
    /// Where the frame begins that is not whole when the stream ends; not asked for after an error.
    var openPosition: UInt64?
    /// How a stream begins that is none of this protocol, as far as it has come: that depends on the portions.
    @IgnoredByEquality var foreignOpening: [UInt8]?

    init(_ portions: some Sequence<ArraySlice<UInt8>>) {
        var reader = FrameReader()
        var header: FrameHeader?
        var body: [UInt8] = []
        do throws(WireError) {
            for portion in portions { try read(portion, &reader, &header, &body) }
            openPosition = reader.openPosition
        } catch {
            self.error = error
        }
        foreignOpening = reader.foreignOpening
    }

    private mutating func read(
        _ portion: ArraySlice<UInt8>, _ reader: inout FrameReader, _ header: inout FrameHeader?, _ body: inout [UInt8]
    ) throws(WireError) {
        // A copy of exactly this size, so that reading past its end is found by a sanitizer.
        try Array(portion).withUnsafeBufferPointer { buffer throws(WireError) in
            var input = UnsafeRawBufferPointer(buffer)
            while true {
                if header == nil { header = try reader.nextHeader(from: &input) }
                guard let begun = header else { break }
                body += reader.body(from: &input)
                if reader.missing > 0 { break }
                frames.append(Frame(header: begun, position: reader.headerPosition, body: body))
                header = nil
                body = []
            }
        }
    }

    init(whole bytes: [UInt8]) {
        self.init([bytes[...]])
    }

    init(byteByByte bytes: [UInt8]) {
        self.init(bytes.indices.lazy.map { bytes[$0...$0] })
    }

    init(_ bytes: [UInt8], cutAt index: Int) {
        self.init([bytes[..<index], bytes[index...]])
    }
}

@propertyWrapper
struct IgnoredByEquality<Value>: Equatable {
    var wrappedValue: Value

    static func == (one: Self, other: Self) -> Bool { true }
}
