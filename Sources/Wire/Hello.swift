internal import JSONCodec

/// The first frame of each side: what it speaks and what it takes.
package struct Hello: Equatable, Sendable, Codable {
    package static let majorVersion = 1
    package static let minorVersion = 0
    /// The feature of a side that takes handles.
    package static let handlesFeature = "handles"
    /// No side announces less: a peer must be able to say something before it has read a hello.
    package static let smallestMessageLimit = 1024

    package struct Version: Equatable, Sendable, Codable {
        package var major: Int
        package var minor: Int
    }

    package struct Limits: Equatable, Sendable, Codable {
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
        try FrameEncoder.control(.hello, self)
    }

    package init(body: UnsafeRawBufferPointer) throws(WireError) {
        // The version first and alone: another major version may have changed the rest.
        let version: Version
        do {
            let document = try JSONDocument(parsing: body)
            version = try document.decode(VersionOnly.self).version
            guard version.major == Self.majorVersion else { throw WireError.unsupportedVersion(version.major) }
            self = try document.decode(Hello.self)
        } catch let error as WireError {
            throw error
        } catch {
            throw .badHello("\(error)")
        }
        guard limits.message >= Self.smallestMessageLimit else {
            throw .badHello("a message limit of \(limits.message) is below \(Self.smallestMessageLimit)")
        }
    }

    private struct VersionOnly: Decodable {
        var version: Version
    }
}

/// The last frame of a side that gives the channel up because of what the peer did.
package struct Abort: Equatable, Sendable, Codable {
    /// For programs: `protocolViolation` in version 1.0; others may follow.
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
