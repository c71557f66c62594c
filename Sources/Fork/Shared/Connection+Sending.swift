internal import Messaging
internal import Reactor

// For any thread. `ChildProcess` and `Process` say what each of these means to their users.
extension Connection {
    /// Queues a message, with the handles that travel with it.
    func send(_ value: some Encodable, handles: consuming Handles) throws -> Bool {
        do throws(ChannelError) {
            return try channel.send(value, handles: handles.takeList())
        } catch {
            throw ForkError(error)
        }
    }

    func send(bytes: [UInt8], handles: consuming Handles) throws -> Bool {
        do throws(ChannelError) {
            return try channel.send(bytes: bytes, handles: handles.takeList())
        } catch {
            throw ForkError(error)
        }
    }

    /// Returns when all that was sent so far has left this process.
    func flush() async throws {
        do {
            try await channel.flush()
        } catch let error as ChannelError {
            throw ForkError(error)
        }
    }

    /// The same on the calling thread.
    func flush(within time: Duration) throws {
        do {
            try channel.flush(within: time)
        } catch let error as ChannelError {
            throw ForkError(error)
        }
    }
}
