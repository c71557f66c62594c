internal import Reactor

/// What a piped output means for the close event of its child.
enum OutputUse: Equatable {
    /// It has ended, or is empty and nobody's.
    case done
    /// Bytes are there that nobody has asked for.
    case unclaimed
    case consumed
}

/// When the events that end a channel's life may be told. A value without a handler: `EventEmitter` asks it.
struct Lifecycle {
    /// A parent hears of its child's exit; a child has nothing to hear after the disconnect.
    let hasProcess: Bool
    /// Messages are there that nobody has asked for, and somebody may be about to.
    var awaitsConsumer = false
    /// All has been read from the kernel.
    var isExhausted = false
    /// All has been delivered, too.
    var isDelivered = false
    var exitStatus: ChildProcess.ExitStatus?
    /// Piped outputs have bytes that nobody has asked for, and somebody may be about to.
    var awaitsOutputConsumer = false

    init(hasProcess: Bool) {
        self.hasProcess = hasProcess
    }

    /// Whether the last events may be told, as far as they have happened.
    ///
    /// - Parameter hasUnclaimed: messages are left by a consumer that has gone.
    func isOver(hasConsumer: Bool, hasUnclaimed: Bool) -> Bool {
        isDelivered && !hasUnclaimed || isExhausted && !hasConsumer && !awaitsConsumer
    }

    /// The events that have happened and may be told now, in their order.
    ///
    /// They wait for messages that somebody wants, and the last of them for piped outputs, too; what nobody wants holds
    /// them back only for a moment.
    func terminalEvents(hasConsumer: Bool, hasUnclaimed: Bool = false, outputs: [OutputUse] = []) -> [Event] {
        guard isOver(hasConsumer: hasConsumer, hasUnclaimed: hasUnclaimed) else { return [] }
        guard hasProcess, let exitStatus else { return [.disconnect] }
        if outputs.contains(.consumed) || awaitsOutputConsumer && outputs.contains(.unclaimed) {
            return [.disconnect, .exit(exitStatus)]
        }
        return [.disconnect, .exit(exitStatus), .close]
    }
}
