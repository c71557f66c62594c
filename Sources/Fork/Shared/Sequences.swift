internal import Messaging

/// The messages that arrive, until the other side disconnects.
///
/// An iterator begins to listen when it is made, and holds a bounded number of messages. While it is full nothing more is
/// read, so a consumer that is slow slows the sender. Several iterators each get every message; the slowest sets the pace.
/// Iteration ends early, with nil, when its task is cancelled.
public struct MessageSequence: AsyncSequence, Sendable {
    /// Nil where there is no channel; then no message comes.
    let source: (any EventSource)?

    public struct AsyncIterator: AsyncIteratorProtocol {
        let buffer: EventBuffer<Message>?

        public mutating func next() async -> Message? {
            await buffer?.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        guard let source else { return AsyncIterator(buffer: nil) }
        return AsyncIterator(
            buffer: EventBuffer(source, .message, until: .disconnect) { event in
                guard case .message(let message) = event else { return nil }
                return (message, message.inbound.cost)
            })
    }
}

/// The messages that arrive, each as a value of one type; otherwise like ``MessageSequence``.
///
/// `next()` throws `DecodingError` for a message that does not fit. The iterator goes on to be good after that: ask it
/// again, and the next message comes.
public struct DecodedMessageSequence<Value: Decodable>: AsyncSequence, Sendable {
    let messages: MessageSequence

    public struct AsyncIterator: AsyncIteratorProtocol {
        var messages: MessageSequence.AsyncIterator

        public mutating func next() async throws -> Value? {
            try await messages.next()?.decode(Value.self)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(messages: messages.makeAsyncIterator())
    }
}

/// Everything that happens to a child, in order, up to and with its close event; otherwise like ``MessageSequence``.
public struct EventSequence: AsyncSequence, Sendable {
    let source: any EventSource

    public struct AsyncIterator: AsyncIteratorProtocol {
        let buffer: EventBuffer<ChildProcess.Event>

        public mutating func next() async -> ChildProcess.Event? {
            await buffer.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            buffer: EventBuffer(source, .all, until: .close) { event in
                guard case .message(let message) = event else { return (event, size: 0) }
                return (event, size: message.inbound.cost)
            })
    }
}
