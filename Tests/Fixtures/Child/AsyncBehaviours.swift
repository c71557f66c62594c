import Fork
import Glibc

/// Answers each message out of a sequence with what the task's thread is. Its exit code says whether `serve` returned
/// as the body ended.
func serveTask() throws {
    let main = pthread_self()
    try Process.serve {
        for await message in Process.messages {
            try await Process.send(["was": message.json, "isMain": .bool(pthread_self() == main)] as JSON)
        }
    }
    // Without a parent no message came, and none was waited for.
    exit(Process.isConnected ? 1 : 0)
}

/// A body that throws while the channel is open: the error comes out of `serve`.
func serveAndThrow() throws {
    struct Refusal: Error {}
    do {
        try Process.serve {
            var messages = Process.messages.makeAsyncIterator()
            _ = await messages.next()
            throw Refusal()
        }
    } catch is Refusal {
        exit(Process.isConnected ? 7 : 1)
    }
}

/// Sends what it made of all messages once they have ended.
func serveSum() throws {
    try Process.serve {
        var sum: Int64 = 0
        for try await number in Process.messages(of: Int64.self) { sum += number }
        // To the end of what the loop has to do, for a channel that closes with the end of the messages.
        for _ in 0..<3 { await Task.yield() }
        try await Process.send(sum)
    }
    // The channel has closed with the body.
    exit(Process.isConnected ? 1 : 0)
}

/// Serves a task where a handler would wait for itself, and where another thread serves already: the first message,
/// which is handled there, has the second one begin.
func serveTwice() {
    let main = pthread_self()
    Process.onMessage { message in
        do {
            try Process.serve {}
        } catch let error as ForkError {
            try Process.send(["inHandler": .string(error.code.description)] as JSON)
        }
        guard message.json == "first" else { return }
        Task.detached {
            try Process.serve {
                var messages = Process.messages.makeAsyncIterator()
                _ = await messages.next()
                try await Process.send(["isMain": .bool(pthread_self() == main)] as JSON)
            }
        }
    }
    Process.serve()
}

/// Serves while another thread serves a task, which ends before the channel does.
func serveBesideTask() {
    let begun = Semaphore()
    Task.detached {
        try Process.serve {
            var messages = Process.messages.makeAsyncIterator()
            begun.signal()
            try Process.enqueue("begun")
            _ = await messages.next()
        }
        try Process.enqueue("ended")
    }
    begun.wait()
    Process.serve()
}

/// Serves one task after the other, each with its last step elsewhere.
func serveElsewhere() throws {
    struct Refusal: Error {}
    actor Elsewhere {
        var count = 0
        func work() { count += 1 }
    }
    let elsewhere = Elsewhere()
    for _ in 0..<20 {
        try Process.serve { await elsewhere.work() }
        do {
            try Process.serve {
                await elsewhere.work()
                throw Refusal()
            }
        } catch is Refusal {}
    }
}

/// Ends well where the body of a task begins on the thread that serves it, though another one has driven the loop
/// before.
func serveHere() throws {
    let main = pthread_self()
    let driven = Semaphore()
    Process.onMessage { _ in driven.signal() }
    // An iterator needs a thread for the channel.
    let messages = Process.messages.makeAsyncIterator()
    driven.wait()
    try Process.serve { exit(pthread_self() == main ? 0 : 1) }
    withExtendedLifetime(messages) {}
}

/// Sends every message back, with an iteration of its own for each.
func echoOneByOne() throws {
    try Process.serve {
        var wasLast = false
        while !wasLast {
            wasLast = true
            for await message in Process.messages {
                try await Process.send(message.json)
                wasLast = false
                break
            }
        }
    }
}
