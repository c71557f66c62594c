// How long a small message of one conversation and its answer take while long ones are under way: `fixture-behind
// <small messages> <bytes of a long one>`. Prints the median and the 99th percentile in microseconds as one line of
// JSON. Both sides are in this process, each on a loop of its own. Conversations have no public face yet.

import Glibc
import JSONCodec
import Messaging
import Reactor
import Wire

/// The side that sends, and keeps the time.
final class Asker: ChannelDelegate {
    private let answers = Locked<[UInt64]>([])

    /// When the answers came, in nanoseconds.
    var times: [UInt64] { answers.withLock { $0 } }

    func channelReceived(_ message: consuming InboundMessage) {}
    func channelFailed(_ error: ChannelError) { fail("\(error)") }
    func channelExhausted(hasUnread: Bool) {}
    func channelDelivered() {}

    func channel(_ channel: Channel, _ key: ConversationKey, _ event: ConversationEvent) {
        guard case .message(_, _, _, let cost) = event else { return }
        answers.withLock { $0.append(System.nanoseconds) }
        channel.took(key, cost: cost)
    }
}

/// The side that takes the long messages, and answers the others.
final class Answerer: ChannelDelegate {
    private let longCount = Locked(0)

    var longMessages: Int { longCount.withLock { $0 } }

    func channelReceived(_ message: consuming InboundMessage) { longCount.withLock { $0 += 1 } }
    func channelFailed(_ error: ChannelError) { fail("\(error)") }
    func channelExhausted(hasUnread: Bool) {}
    func channelDelivered() {}

    func channel(_ channel: Channel, _ key: ConversationKey, _ event: ConversationEvent) {
        guard case .message(_, _, _, let cost) = event else { return }
        do {
            try channel.send(1, in: key)
        } catch {
            fail("\(error)")
        }
        channel.took(key, cost: cost)
        channel.release(key)
    }
}

func fail(_ text: String) -> Never {
    let line = Array("fixture-behind: \(text)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    exit(1)
}

guard CommandLine.arguments.count == 3, let count = Int(CommandLine.arguments[1]), count > 0,
    let size = Int(CommandLine.arguments[2]), size > 0
else {
    fail("usage: fixture-behind <small messages> <bytes of a long one>")
}

let (asker, answerer) = (Asker(), Answerer())
let channel = try System.socketPair().split { ours, theirs in
    let limits = ChannelLimits(messageLimit: size)
    let channel = try Channel(socket: ours, loop: MessageLoop(named: "asker"), limits: limits)
    let other = try Channel(socket: theirs, loop: MessageLoop(named: "answerer"), limits: limits, isMaker: false)
    for (side, delegate) in [(channel, asker as any ChannelDelegate), (other, answerer)] {
        try side.start(delegate: delegate)
        try side.loop.ensureDriven()
        side.loop.execute { side.setConsumer(present: true) }
    }
    return channel
}

let long = [UInt8](repeating: 7, count: size)
var longCount = 0
var trips: [UInt64] = []
for number in 0..<count {
    // One is on its way, and one waits behind it.
    while longCount < answerer.longMessages + 2 {
        _ = try channel.send(bytes: long)
        longCount += 1
    }
    // At another place in it each time.
    usleep(UInt32(1000 + 1777 * number % 5000))
    let start = System.nanoseconds
    _ = try channel.open(1, MessageDescription(name: "small"))
    var times = asker.times
    while times.count <= number {
        usleep(20)
        times = asker.times
        if System.nanoseconds - start > 20_000_000_000 { fail("an answer has not come") }
    }
    trips.append(times[number] - start)
}
trips.sort()
let median = Double(trips[trips.count / 2]) / 1000
let last = Double(trips[trips.count * 99 / 100]) / 1000
print("{\"p50\": \(median), \"p99\": \(last)}")
