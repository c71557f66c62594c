internal import Messaging

/// The messages that arrive, until the other side disconnects.
///
/// An iterator begins to listen when it is made, and holds a bounded number of messages. While it is full nothing more
/// is read, so a consumer that is slow slows the sender. Several iterators each get every message; the slowest sets the
/// pace. Iteration ends early, with nil, when its task is cancelled. What an iterator holds when it is left early, by
/// `break` for one, is for the next consumer: all but what others who still listen have heard, too.
public struct MessageSequence: AsyncSequence, Sendable {
    /// Nil if there is no channel; then no message comes.
    let connection: Connection?

    public struct AsyncIterator: AsyncIteratorProtocol {
        let consumer: EventConsumer?

        public mutating func next() async -> Message? {
            guard case .message(let message) = await consumer?.next() else { return nil }
            return message
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(consumer: connection.map { EventConsumer($0, .message, until: .disconnect) })
    }
}

/// The messages that arrive, each as a value of one type; otherwise like ``MessageSequence``.
///
/// `next()` throws `DecodingError` for a message that does not fit. The iterator can be used after that: ask it
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
    let connection: Connection

    public struct AsyncIterator: AsyncIteratorProtocol {
        let consumer: EventConsumer

        public mutating func next() async -> ChildProcess.Event? {
            await consumer.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(consumer: EventConsumer(connection, .all, until: .close))
    }
}
