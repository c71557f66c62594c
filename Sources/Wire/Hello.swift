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
    /// No side announces less: a peer must be able to say something before it has read a hello.
    package static let smallestMessageLimit = 1024

    package struct Version: Equatable, Sendable {
        package var major: Int
        package var minor: Int
    }

    package struct Limits: Equatable, Sendable {
        /// The longest message that this side reads, in bytes, all fragments together and without their headers.
        package var message: Int
    }

    package var version: Version
    /// Names of what this side can do beyond version 1.0; names that a peer does not know are ignored.
    package var features: [String]
    package var limits: Limits

    package init(messageLimit: Int, features: [String] = []) {
        version = Version(major: Self.majorVersion, minor: Self.minorVersion)
        self.features = features
        limits = Limits(message: messageLimit)
    }

    /// The whole frame.
    package func frame() throws -> [UInt8] {
        var bytes: [UInt8] = []
        try FrameEncoder.append(.hello, to: &bytes) { text in
            text += "{\"version\":{\"major\":\(version.major),\"minor\":\(version.minor)},\"features\":[".utf8
            for (index, feature) in features.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                try JSONText.append(feature, to: &text)
            }
            text += "],\"limits\":{\"message\":\(limits.message)}}".utf8
        }
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
        guard let version = document.member("version"), let major = version.integer("major"),
            let minor = version.integer("minor")
        else { throw .badHello("it names no version") }
        guard major == Self.majorVersion else { throw .unsupportedVersion(major) }
        self.version = Version(major: major, minor: minor)
        guard let features = document.member("features")?.json.arrayValue else {
            throw .badHello("its features are no array")
        }
        self.features = features.compactMap(\.stringValue)
        guard self.features.count == features.count else { throw .badHello("one of its features is no string") }
        guard let limit = document.member("limits")?.integer("message") else {
            throw .badHello("it names no message limit")
        }
        limits = Limits(message: limit)
        guard limit >= Self.smallestMessageLimit else {
            throw .badHello("a message limit of \(limit) is below \(Self.smallestMessageLimit)")
        }
    }
}

extension JSONDocument {
    fileprivate func integer(_ key: String) -> Int? { member(key)?.json.integerValue }
}

/// The last frame of a side that gives the channel up because of what the peer did.
package struct Abort: Equatable, Sendable, Codable {
    /// The code of a child that ends and has never taken a message, although some were sent to it.
    package static let notTaken = "notTaken"

    /// For programs: `protocolViolation` or `notTaken` in version 1.0; others may follow.
    package var code: String
    /// For people.
    package var message: String

    package init(code: String = "protocolViolation", message: String) {
        self.code = code
        self.message = message
    }

    /// The whole frame.
    package func frame() throws -> [UInt8] {
        try FrameEncoder.control(.abort, self)
    }

    /// Never fails: the channel ends anyway, and an abort that can't be read says at least that.
    package init(body: UnsafeRawBufferPointer) {
        do {
            self = try JSONDocument(parsing: body).decode(Abort.self)
        } catch {
            self.init(code: "unreadable", message: "it gave no reason that can be read")
        }
    }
}
