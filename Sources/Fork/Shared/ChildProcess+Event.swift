extension ChildProcess {
    /// What happens to a child. Each but `message` and `error` happens at most once, in the order of the cases.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Event: Sendable {
        /// It has been started.
        case spawn
        /// It has sent a message.
        case message(Message)
        /// Something went wrong: a message that can't be read, a handler that threw, a child that breaks the protocol.
        case error(ForkError)
        /// No more messages will come, and none can be sent.
        case disconnect
        /// Its process has ended. All that it sent before has been delivered.
        case exit(ExitStatus)
        /// Nothing more will happen.
        case close
    }
}

/// For users this is a part of `ChildProcess`, whose other parts the rest of this folder does not know.
typealias Event = ChildProcess.Event
