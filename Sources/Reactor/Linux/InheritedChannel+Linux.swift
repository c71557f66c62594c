#if os(Linux)
    internal import CLinux

    /// What a parent says to a program that it starts: the variables, and what this program has found in its own. They
    /// are taken out of the environment as soon as they are read.
    package enum InheritedChannel {
        /// The variable by which a child learns the number of its channel.
        package static let channelVariable = CLINUX_CHANNEL_VARIABLE
        /// The variable that says what the longest message is that it shall read.
        package static let limitVariable = CLINUX_LIMIT_VARIABLE
        /// The number's variable where Node's dialect is spoken, and that of how messages are written then.
        package static let nodeChannelVariable = CLINUX_NODE_CHANNEL_VARIABLE
        package static let nodeModeVariable = CLINUX_NODE_MODE_VARIABLE

        /// The number of this program's channel as its parent gave it, or nil where there was none.
        package static func number() -> String? {
            clinux_channel_descriptor().map { String(cString: $0) }
        }

        /// The longest message that this program shall read, as its parent has said it.
        package static func messageLimit() -> String? {
            clinux_message_limit().map { String(cString: $0) }
        }

        /// The number of the channel where the parent is Node.js, and in which mode that writes its messages.
        package static func node() -> (number: String, mode: String)? {
            clinux_node_channel_descriptor().map { number in
                (String(cString: number), clinux_node_mode().map { String(cString: $0) } ?? "json")
            }
        }
    }
#endif
