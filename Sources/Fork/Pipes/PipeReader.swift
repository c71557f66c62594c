internal import Reactor
internal import SystemPackage

/// The reading end of a piped output. Nothing is read before somebody asks for it.
final class PipeReader: Sendable {
    private struct Consumers {
        var count = 0
        /// Of these: how many are waited for until they have dealt with what they read.
        var lasting = 0
    }

    private static let chunkSize = 64 * 1024

    private let pipe: PipeHandle
    private let consumers = Locked(Consumers())
    private let listener = Locked<(@Sendable () -> Void)?>(nil)

    init(_ descriptor: consuming Descriptor, loop: MessageLoop) throws(Errno) {
        pipe = try PipeHandle(descriptor, loop: loop, interest: .readingOnce)
    }

    /// Says who hears when the use of the output may have changed.
    func listen(_ body: @escaping @Sendable () -> Void) {
        listener.withLock { $0 = body }
        pipe.listen(body)
    }

    var use: OutputUse {
        let consumers = consumers.withLock { $0 }
        if consumers.lasting > 0 { return .consumed }
        return switch pipe.content {
        case .ended: .done
        case .bytes: consumers.count > 0 ? .consumed : .unclaimed
        case .nothing: consumers.count > 0 ? .consumed : .done
        }
    }

    /// What has come, in one piece; nil at the end, and if the task is cancelled, which loses nothing.
    func next() async -> [UInt8]? {
        if Task.isCancelled { return nil }
        guard await pipe.enter() == .go else { return nil }
        while true {
            do throws(Errno) {
                let bytes = try read()
                if bytes.isEmpty { pipe.breakOff(.peerClosed) }
                pipe.leave()
                return bytes.isEmpty ? nil : bytes
            } catch .wouldBlock {
                guard await pipe.block() == .go else { return nil }
            } catch {
                pipe.breakOff(.peerClosed)
                pipe.leave()
                return nil
            }
        }
    }

    private func read() throws(Errno) -> [UInt8] {
        // Copied out of a buffer for the time of the call: most chunks are much smaller.
        try withUnsafeTemporaryAllocation(byteCount: Self.chunkSize, alignment: 16) { buffer throws(Errno) in
            let count = try System.read(pipe.number, into: buffer)
            return Array(buffer[..<count])
        }
    }

    fileprivate func consumerCame(isLasting: Bool) {
        consumers.withLock {
            $0.count += 1
            if isLasting { $0.lasting += 1 }
        }
    }

    fileprivate func consumerLeft(isLasting: Bool) {
        consumers.withLock {
            $0.count -= 1
            if isLasting { $0.lasting -= 1 }
        }
        listener.withLock { $0 }?()
    }
}

/// Somebody who reads an output, for as long as this is kept.
final class OutputConsumer: Sendable {
    let reader: PipeReader
    private let isLasting: Bool

    init(_ reader: PipeReader, isLasting: Bool = false) {
        self.reader = reader
        self.isLasting = isLasting
        reader.consumerCame(isLasting: isLasting)
    }

    deinit {
        reader.consumerLeft(isLasting: isLasting)
    }
}
