import Fork
import Glibc
import SystemPackage

/// Sends everything back as it came.
func echo() {
    Process.onMessage { message in
        if let bytes = message.bytes { try Process.send(bytes: bytes) } else { try Process.send(message.json) }
    }
    Process.serve()
}

/// The same, and prints what came, and reads its standard input to the end.
func echoAloud() {
    Process.onMessage { message in
        print(message.json)
        fflush(nil)
        while readLine() != nil {}
        try Process.send(message.json)
    }
    Process.serve()
}

func echoAsync() async throws {
    for await message in Process.messages {
        if let bytes = message.bytes {
            try await Process.send(bytes: bytes)
        } else {
            try await Process.send(message.json)
        }
    }
}

/// Sends numbers and ends right after: by returning from `main`, by `exit`, or by `exit` in another thread.
func burst(count: Int, end: String) throws {
    for number in 0..<count { try Process.send(number) }
    if end == "exit" { exit(7) }
}

/// Sends numbers, and then does nothing more, without a thread that serves.
func burstAndHold(count: Int) throws {
    for number in 0..<count { try Process.send(number) }
    while true { pause() }
}

/// Sends numbers, waits until the kernel has them, and is killed.
func burstKilled(count: Int) async throws {
    for number in 0..<count { try Process.enqueue(number) }
    try await Process.flush()
    kill(getpid(), SIGKILL)
    while true { pause() }
}

func large(count: Int, size: Int, end: String) throws {
    let body = String(repeating: "x", count: size)
    for number in 0..<count {
        try Process.send(["number": JSON.integer(Int64(number)), "body": .string(body)] as JSON)
    }
    switch end {
    case "exit": exit(0)
    case "disconnect":
        Process.disconnect()
        // A second time is harmless.
        Process.disconnect()
        Process.serve()
    default: break
    }
}

/// Sends as many numbered messages as it expects, all at once, and then ends as it is told to: disconnects first, waits
/// for the parent to do so, or exits as soon as all have come, with its own still on their way.
func sendBothWays(count: Int, size: Int, end: String) throws {
    nonisolated(unsafe) var received = 0
    Process.onMessage { message in
        guard message.bytes == [UInt8](repeating: UInt8(received & 255), count: size) else { exit(2) }
        received += 1
        if received == count, end == "exit" { exit(0) }
    }
    Process.onDisconnect { exit(received == count ? 0 : 1) }
    for number in 0..<count { try Process.enqueue(bytes: [UInt8](repeating: UInt8(number & 255), count: size)) }
    if end == "disconnect" { Process.disconnect() }
    Process.serve()
}

/// Ends well where as many messages of the size came as expected before the disconnect.
func countUntilDisconnect(expected: Int, size: Int) {
    nonisolated(unsafe) var count = 0
    Process.onMessage { message in
        guard message.json["number"] == .integer(Int64(count)), message.json["body"]?.stringValue?.utf8.count == size
        else { return }
        count += 1
    }
    Process.onDisconnect { exit(count == expected ? 0 : 1) }
    Process.serve()
}

func flood(count: Int, size: Int) async throws {
    let body = String(repeating: "x", count: size)
    for number in 0..<count {
        try await Process.send(["number": JSON.integer(Int64(number)), "body": .string(body)] as JSON)
    }
}

/// Tells what this process was given.
func report() throws {
    var descriptors: [JSON] = []
    var files: JSON.Object = [:]
    for descriptor in 0..<Int32(8192) where fcntl(descriptor, F_GETFD) != -1 {
        descriptors.append(.integer(Int64(descriptor)))
        let flags = fcntl(descriptor, F_GETFL)
        files["\(descriptor)"] = [
            "target": .string(target(of: descriptor)),
            "appends": .bool(flags & O_APPEND != 0), "blocks": .bool(flags & O_NONBLOCK == 0),
            "writes": .bool(flags & O_ACCMODE != O_RDONLY),
        ]
    }
    var environment: JSON.Object = [:]
    var entry = environ
    while let variable = entry.pointee {
        let text = String(cString: variable)
        let name = String(text.prefix { $0 != "=" })
        environment[name] = .string(String(text.dropFirst(name.count + 1)))
        entry += 1
    }
    var status: JSON.Object = [:]
    if let file = fopen("/proc/self/status", "r") {
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, 512, file) != nil {
            let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            let parts = text.split(separator: ":", maxSplits: 1).map { String($0).filter { !$0.isWhitespace } }
            if parts.count == 2 { status[parts[0]] = .string(parts[1]) }
        }
        fclose(file)
    }
    let directory = getcwd(nil, 0)!
    defer { free(directory) }
    try Process.send(
        [
            "arguments": .array(CommandLine.arguments.map { .string($0) }),
            "descriptors": .array(descriptors), "files": .object(files), "environment": .object(environment),
            "status": .object(status), "directory": .string(String(cString: directory)),
            "channelIsCloseOnExec": .bool(fcntl(3, F_GETFD) & FD_CLOEXEC != 0),
            "isForked": .bool(Process.isForked),
            "pid": .integer(Int64(getpid())), "session": .integer(Int64(getsid(0))),
            "group": .integer(Int64(getpgrp())),
            "nice": .integer(Int64(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))),
            "limits": .string(limits()),
        ] as JSON)
}

/// What a descriptor refers to.
func target(of descriptor: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    guard readlink("/proc/self/fd/\(descriptor)", &buffer, 4095) > 0 else { return "" }
    return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
}

/// The kernel's table of this process's limits.
func limits() -> String {
    var text = ""
    guard let file = fopen("/proc/self/limits", "r") else { return text }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, 512, file) != nil {
        text += line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
    fclose(file)
    return text
}

/// Starts a grandchild that keeps this process's end of the channel open, tells its number, and ends.
func holdChannel() {
    _ = fcntl(3, F_SETFD, 0)
    var pid: pid_t = 0
    let argv: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
    guard posix_spawn(&pid, "/bin/sleep", nil, nil, argv, environ) == 0 else { exit(1) }
    _ = try? Process.send(["grandchild": JSON.integer(Int64(pid))] as JSON)
    _ = try? Process.send("last words")
    exit(3)
}

/// Leaves a grandchild behind that writes messages to the channel without end, tells its number, and ends.
func leaveFlood() {
    try? Process.flush(within: .seconds(240))
    _ = fcntl(3, F_SETFD, 0)
    var pid: pid_t = 0
    let argv: [UnsafeMutablePointer<CChar>?] = [strdup("child"), strdup("flood-channel"), nil]
    guard posix_spawn(&pid, "/proc/self/exe", nil, nil, argv, environ) == 0 else { exit(1) }
    // Says nothing more, not even that it ends, and goes once the socket is full.
    var socket = pollfd(fd: 3, events: Int16(POLLOUT), revents: 0)
    while poll(&socket, 1, 0) == 1 { usleep(1000) }
    _exit(0)
}

/// Says which process it is, and writes many messages at a time to a channel that it only inherited.
func floodChannel() {
    // Frames under id 0.
    func header(kind: UInt8, bodySize: Int) -> [UInt8] {
        let length = 12 + bodySize
        return [0, 0, UInt8(length >> 8), UInt8(length & 0xff), kind, 0] + [UInt8](repeating: 0, count: 10)
    }
    let pid = Array("\(getpid())".utf8)
    let introduction = header(kind: 0x10, bodySize: pid.count) + pid
    let block = Array(
        repeatElement(header(kind: 0x11, bodySize: 4096) + [UInt8](repeating: 1, count: 4096), count: 16).joined())
    guard write(3, introduction, introduction.count) > 0 else { return }
    while write(3, block, block.count) > 0 {}
}

/// Takes one message, and goes on with other things once more of them and the end have come.
func breakOff() async throws {
    var iterator = Optional(Process.messages.makeAsyncIterator())
    if let first = await iterator?.next() { try Process.enqueue(first.json) }
    usleep(300_000)
    iterator = nil
    while true { pause() }
}

struct Refusal: Error {}

func throwInHandler() {
    Process.onError { error in
        _ = try? Process.send(["error": .string(error.code.description)] as JSON)
    }
    Process.onMessage { message in
        if message.json == "throw" { throw Refusal() }
        try Process.send(message.json)
    }
    Process.serve()
}

/// Sends texts, and wants numbers.
func sendMisfits(count: Int, mode: String) throws {
    if mode == "ignore" { Process.unhandledErrors = .ignore }
    if mode == "handle" { Process.onError { _ in } }
    for number in 0..<count { try Process.send("text \(number)") }
    Process.onMessage(of: Int.self) { _ in }
    Process.serve()
}

/// Has a handler, and ends without a call of `serve` once it is told to.
func forgetToServe() throws {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGUSR1)
    sigprocmask(SIG_BLOCK, &signals, nil)
    Process.onMessage { _ in exit(1) }
    try Process.send("before")
    var signal: Int32 = 0
    sigwait(&signals, &signal)
}

/// Sends some numbers in a handler that does not return, or that crashes right after. More of them than are written at
/// once are flushed.
func sendInHandler(count: Int, end: String) {
    Process.onMessage { _ in
        for number in 0..<count { try Process.send(number) }
        if count > 8 { try Process.flush(within: .seconds(240)) }
        if end == "crash" { kill(getpid(), SIGKILL) }
        while true { pause() }
    }
    Process.serve()
}

func exitInHandler() {
    Process.onMessage { _ in
        for number in 0..<1000 { try Process.send(number) }
        exit(5)
    }
    Process.serve()
}

/// Only serves, and leaves a mark when it hears of the disconnect.
func orphan(path: String) {
    Process.onMessage { try Process.send($0.json) }
    Process.onDisconnect {
        let file = creat(path, 0o600)
        close(file)
    }
    Process.serve()
    let file = creat(path + ".served", 0o600)
    close(file)
}

/// Queues more than the socket takes, for a parent that does not read.
func hangOnExit() throws {
    Process.exitFlushTimeout = .seconds(1)
    let body = String(repeating: "x", count: 1 << 20)
    for _ in 0..<4 { try Process.send(body) }
}

func reportErrors() {
    Process.onError { error in
        print(error.code, error.message)
        fflush(nil)
    }
    Process.onMessage { _ in }
    Process.serve()
}

func sendFromThreads(threads: Int, count: Int) throws {
    var handles: [pthread_t] = []
    for thread in 0..<threads {
        let box = Unmanaged.passRetained(Pair(thread, count))
        var handle = pthread_t()
        pthread_create(
            &handle, nil,
            { argument in
                let pair = Unmanaged<Pair>.fromOpaque(argument!).takeRetainedValue()
                for number in 0..<pair.count {
                    _ = try? Process.send([JSON.integer(Int64(pair.thread)), .integer(Int64(number))] as JSON)
                }
                return nil
            }, box.toOpaque())
        handles.append(handle)
    }
    for handle in handles { pthread_join(handle, nil) }
}

final class Pair {
    let thread: Int
    let count: Int

    init(_ thread: Int, _ count: Int) {
        self.thread = thread
        self.count = count
    }
}

/// Sends what `Process` says of itself before and after the disconnect, the second part by exit code.
func state() throws {
    guard Process.isForked, Process.isConnected else { exit(1) }
    try Process.send("connected")
    Process.disconnect()
    if Process.isConnected { exit(2) }
    do {
        try Process.send("too late")
        exit(3)
    } catch let error as ForkError {
        if error.code != .disconnected { exit(4) }
    }
    Process.serve()
    exit(0)
}

/// Sends more than the socket takes and computes: the rest must leave meanwhile.
func background() throws {
    for _ in 0..<4 { try Process.send(String(repeating: "x", count: 1 << 20)) }
    try Process.send("all")
    while true { pause() }
}

/// Writes the number in each message to the sockets that came with it, closes them, and tells how many there were.
func serveHandles() {
    Process.onError { error in
        _ = try? Process.send(["error": .string(error.code.description)] as JSON)
    }
    Process.onMessage { message in
        let count = message.handleCount
        let number = message.json["number"]?.integerValue ?? -1
        while let handle = message.takeHandle() {
            _ = try handle.fileDescriptor.writeAll("\(number)".utf8)
        }
        try Process.send([.integer(Int64(number)), .integer(Int64(count))] as JSON)
    }
    Process.serve()
}

/// Sends the handles of each message back with it.
func returnHandles() {
    Process.onMessage { message in
        try Process.send(message.json, handles: message.takeHandles())
    }
    Process.serve()
}

/// Sends many handles at once, and stops until it is let go on.
func sendHandles(count: Int) throws {
    for number in 0..<count {
        try Process.send(number, handles: try Handles(duplicating: FileDescriptor.standardInput))
    }
    kill(getpid(), SIGSTOP)
    Process.serve()
}

/// Tries to send a handle to a parent that takes none.
func refusedHandle() throws {
    do {
        try Process.send("with", handles: try Handles(duplicating: FileDescriptor.standardInput))
    } catch let error as ForkError {
        try Process.send(["error": .string(error.code.description)] as JSON)
    }
}

/// Starts a program that runs on in the same group, tells its number, and ends or waits.
func leaveProgram(end: String) throws {
    var pid: pid_t = 0
    let argv: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("600"), nil]
    defer { for argument in argv { free(argument) } }
    guard posix_spawn(&pid, "/bin/sleep", nil, nil, argv, environ) == 0 else { exit(1) }
    try Process.send(Int64(pid))
    if end == "wait" { Process.serve() }
}

/// Closes its channel, and the descriptors after it, which are not its own.
func closeDescriptors(last: Int32) {
    Process.onMessage { message in
        for number in 3...last { close(number) }
        try Process.send(message.json)
    }
    Process.serve()
}

/// Prints why there is no channel.
func reportMode() {
    do {
        try Process.send("hello")
    } catch {
        print(error)
    }
    Process.serve()
}

/// Sends sockets, each with another message behind it, and returns from `main` right after.
func sendSocketAndEnd() throws {
    for number in 0..<3 {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { exit(1) }
        try Process.send(
            ["with": JSON.integer(Int64(number))] as JSON, handles: Handles(owning: FileDescriptor(rawValue: ends[0])))
        try Process.send("after")
    }
}
