internal import JSONCodec

/// The first frame of each side: what it speaks and what it takes.
///
/// Written and read by hand: a child does so before anything else, and `Codable` would take half the time that it needs
/// from its `main` to its first answer, to find out about types that nobody else uses.
package struct Hello: Equatable, Sendable {
    package static let majorVersion = 1
    package static let minorVersion = 0
    /// The feature of a side that takes handles.
    package static let handlesFeature = "handles"

    package struct Version: Equatable, Sendable {
        package var major: Int
        package var minor: Int
    }

    package struct Limits: Equatable, Sendable {
        /// What no hello announces less of, and what holds before one has come.
        package static let floor = Limits(message: 65_536, window: 262_144, ids: 0)
        /// The window of a side that gives no credit, because it needs none.
        package static let endlessWindow = WireNumber.largest

        /// Reads a limit on messages that is written in decimal. Nil if a hello could not announce it.
        package static func messageLimit(_ text: String) -> Int? {
            guard text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let limit = Int(text),
                floor.message...WireNumber.largest ~= limit
            else { return nil }
            return limit
        }

        /// The longest message that this side reads, in bytes, all frames together and without headers.
        package var message: Int
        /// How much credit each id has at first.
        package var window: Int
        /// How many conversations the other side may open at first.
        package var ids: Int

        package init(message: Int, window: Int, ids: Int) {
            self.message = message
            self.window = window
            self.ids = ids
        }
    }

    package var version: Version
    /// Names of what this side can do beyond version 1.0; names that a peer does not know are ignored.
    package var features: [String]
    package var limits: Limits

    package init(limits: Limits, features: [String] = []) {
        version = Version(major: Self.majorVersion, minor: Self.minorVersion)
        self.features = features
        self.limits = limits
    }

    /// The whole frame.
    package func frame() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.size)
        bytes += "{\"version\":{\"major\":\(version.major),\"minor\":\(version.minor)},\"features\":[".utf8
        for (index, feature) in features.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            try JSONText.append(feature, to: &bytes)
        }
        bytes +=
            """
            ],"limits":{"message":\(limits.message),"window":\(limits.window),"ids":\(limits.ids)}}
            """.utf8
        FrameHeader(kind: .hello, bodyCount: bytes.count - FrameHeader.size).write(to: &bytes, at: 0)
        return bytes
    }

    package init(body: UnsafeRawBufferPointer) throws(WireError) {
        let document: JSONDocument
        do {
            document = try JSONDocument(parsing: body)
        } catch {
            throw .badHello("\(error)")
        }
        // The version first and alone: another major version may have changed the rest.
        guard let version = document.member("version") else { throw .badHello("it names no version") }
        let major = try version.integer("major")
        let minor = try version.integer("minor")
        guard major == Self.majorVersion else { throw .unsupportedVersion(major) }
        self.version = Version(major: major, minor: minor)
        guard let features = document.member("features")?.json.arrayValue else {
            throw .badHello("its features are no array")
        }
        self.features = features.compactMap(\.stringValue)
        guard self.features.count == features.count else { throw .badHello("one of its features is no string") }
        guard let limits = document.member("limits") else { throw .badHello("it names no limits") }
        let floor = Limits.floor
        self.limits = Limits(
            message: try limits.integer("message", atLeast: floor.message),
            window: try limits.integer("window", atLeast: floor.window),
            ids: limits.member("ids") == nil ? 0 : try limits.integer("ids"))
    }
}

extension JSONDocument {
    fileprivate func integer(_ key: String, atLeast least: Int = 0) throws(WireError) -> Int {
        guard let member = member(key) else { throw .badHello("it has no number '\(key)'") }
        guard let number = member.json.integerValue, least...WireNumber.largest ~= number else {
            throw .badHello("its '\(key)' is no integer from \(least) to \(WireNumber.largest)")
        }
        return number
    }
}
