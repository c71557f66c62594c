internal import Reactor
internal import SystemPackage

/// The writing end of a piped input. Writes come one after the other, each of them whole.
final class PipeWriter: Sendable {
    enum Outcome: Equatable {
        case written
        case refused(PipeEnd)
        case cancelled
    }

    private let pipe: PipeHandle

    init(_ descriptor: consuming Descriptor, loop: MessageLoop) throws(Errno) {
        pipe = try PipeHandle(descriptor, loop: loop, interest: .writingOnce)
    }

    func write(_ bytes: [UInt8]) async -> Outcome {
        if Task.isCancelled { return .cancelled }
        switch await pipe.enter() {
        case .go: break
        case .refused(let end): return .refused(end)
        case .cancelled: return .cancelled
        }
        var written = 0
        while written < bytes.count {
            do throws(Errno) {
                written += try bytes.withUnsafeBufferPointer { bytes throws(Errno) in
                    let rest = UnsafeBufferPointer(rebasing: bytes[written...])
                    return try System.write(pipe.number, UnsafeRawBufferPointer(rest))
                }
            } catch .wouldBlock {
                switch await pipe.block() {
                case .go: continue
                case .refused(let end): return .refused(end)
                case .cancelled: return .cancelled
                }
            } catch {
                pipe.breakOff(.peerClosed)
                pipe.leave()
                return .refused(.peerClosed)
            }
        }
        pipe.leave()
        return .written
    }

    func finish() {
        pipe.finish()
    }

    func childEnded() {
        pipe.breakOff(.childEnded)
    }
}
