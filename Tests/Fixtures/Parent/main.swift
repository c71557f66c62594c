// A parent of its own, for tests that kill it, take its descriptors or processes away, or change its signal handling.
// It prints what happened.

import Fork
import Glibc

func say(_ text: String) {
    print(text)
    fflush(nil)
}

func count(_ directory: String) -> Int {
    guard let listing = opendir(directory) else { return -1 }
    defer { closedir(listing) }
    var count = 0
    while readdir(listing) != nil { count += 1 }
    return count
}

/// How many threads of the package this process has; the concurrency runtime has some of its own.
func threadCount() -> Int {
    guard let listing = opendir("/proc/self/task") else { return -1 }
    defer { closedir(listing) }
    var count = 0
    while let entry = readdir(listing) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard let file = fopen("/proc/self/task/\(name)/comm", "r") else { continue }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 64)
        if fgets(&text, 64, file) != nil, text.starts(with: "fork-".utf8.map { CChar($0) }) { count += 1 }
    }
    return count
}

/// Whether there is a child, running or a zombie. Leaves it as it is.
func hasChildren() -> Bool {
    var info = siginfo_t()
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0
}

func echoPath() -> String { Process.executableDirectory + "/fixture-child" }

/// Starts a child that hears of nothing, tied to this process's life, and waits to be killed.
func tie() async throws {
    var options = ChildProcess.Options()
    options.parentDeathSignal = .kill
    let child = try ChildProcess.fork(path: echoPath(), arguments: ["mute"], options: options)
    say("\(child.pid)")
    while true { pause() }
}

/// Starts a child that only serves, and waits to be killed.
func orphan(_ mark: String) async throws {
    let child = try ChildProcess.fork(path: echoPath(), arguments: ["orphan", mark])
    var messages = child.messages.makeAsyncIterator()
    try await child.send("ready")
    _ = await messages.next()
    say("\(child.pid)")
    while true { pause() }
}

@discardableResult
func forkAndReport(_ what: String, _ options: ChildProcess.Options? = nil) -> Bool {
    var isStarted = false
    let before = (count("/proc/self/fd"), threadCount())
    do {
        _ = try ChildProcess.fork(
            path: options == nil ? echoPath() : what, arguments: ["echo"], options: options ?? .init())
        isStarted = true
        say("\(what): started")
    } catch let error as ForkError {
        say("\(what): \(error.code) errno \(error.errno?.rawValue ?? 0): \(error.message)")
    } catch {
        say("\(what): \(error)")
    }
    // A thread that was started for nothing takes a moment to end, and to close what its loop had.
    for _ in 0..<200 where threadCount() != before.1 || count("/proc/self/fd") != before.0 { usleep(10_000) }
    say("descriptors \(count("/proc/self/fd") - before.0) threads \(threadCount() - before.1)")
    say("children \(hasChildren() ? "some" : "none")")
    return isStarted
}

/// Two hundred children, one after the other, some awaited by their events, some only by their exit, some by nobody.
func leaveNoResidue() async throws {
    // The first brings the shared loop, which stays.
    try await useOne(0)
    let before = settledCounts()
    for number in 1...200 { try await useOne(number) }
    // Whatever is still on its way out must be gone soon, and for good.
    for _ in 0..<2000 where count("/proc/self/fd") != before.0 || hasChildren() { usleep(10_000) }
    say("descriptors \(count("/proc/self/fd") - before.0) threads \(threadCount() - before.1)")
    say("children \(hasChildren() ? "some" : "none")")
}

/// Children with pipes that are used in every way, and some that can't be started.
func leaveNoStreamResidue() async throws {
    try await useStreams(0)
    let before = settledCounts()
    for number in 1...60 { try await useStreams(number) }
    for _ in 0..<2000 where count("/proc/self/fd") != before.0 || hasChildren() { usleep(10_000) }
    say("descriptors \(count("/proc/self/fd") - before.0) threads \(threadCount() - before.1)")
    say("children \(hasChildren() ? "some" : "none")")
}

/// How many descriptors and threads there are once that has been the same for a while: what a child leaves is closed a
/// moment after its last event.
func settledCounts() -> (Int, Int) {
    var counts = (count("/proc/self/fd"), threadCount())
    var same = 0
    for _ in 0..<2000 where same < 50 {
        usleep(10_000)
        let now = (count("/proc/self/fd"), threadCount())
        same = now == counts && !hasChildren() ? same + 1 : 0
        counts = now
    }
    return counts
}

func useStreams(_ number: Int) async throws {
    var options = ChildProcess.Options.silent
    options.outputs[9] = .pipe
    options.outputs[10] = .sameAs(9)
    options.inputs[11] = .file("/dev/zero")
    let script = ["cat", "exec <&-; echo x", "yes", "exec sleep 60"][number % 4]
    let child = try ChildProcess.fork(path: "/bin/sh", arguments: ["-c", script], options: options)
    switch number % 4 {
    case 0:
        try await child.standardInput?.write("text")
        child.standardInput?.finish()
        _ = try await child.standardOutput?.collect(upTo: 10)
    case 1:
        _ = try await child.waitForExit()
        do { try await child.standardInput?.write("text") } catch {}
    case 2:
        // Begun, and given up.
        var chunks = child.standardOutput?.makeAsyncIterator()
        _ = await chunks?.next()
    default:
        let reading = Task { for await _ in child.standardError! {} }
        reading.cancel()
        await reading.value
    }
    child.kill(.kill)
    options.standardError = .file("/nowhere/file")
    do { _ = try ChildProcess.fork(path: "/bin/sh", options: options) } catch {}
    do { _ = try ChildProcess.fork(path: "/nowhere", options: .silent) } catch {}
}

func useOne(_ number: Int) async throws {
    let child = try ChildProcess.fork(path: echoPath(), arguments: ["burst", "5", "return"])
    switch number % 4 {
    case 0: for await _ in child.events {}
    case 1: _ = try await child.waitForExit()
    case 2: for await _ in child.messages {}
    default: break
    }
}

/// Starts that fail in every way that the test program can bring about.
func failToStart() {
    var options = ChildProcess.Options()
    options.workingDirectory = "/nowhere"
    var environment = ChildProcess.Options()
    environment.environment = .custom(["A=B": "C"])
    for (path, options) in [
        ("/nowhere", .init()), ("/usr", .init()), ("/etc/passwd", .init()), ("a\0b", .init()), (echoPath(), options),
        (echoPath(), environment),
    ] {
        forkAndReport(path, options)
    }
}

/// As a user who may not become another.
func beForbidden() {
    if getuid() == 0 {
        _ = setgid(65534)
        _ = setuid(65534)
    }
    let changes: [(inout ChildProcess.Options) -> Void] = [
        { $0.supplementaryGroups = [1, 2] }, { $0.group = 0 }, { $0.user = 0 },
    ]
    for change in changes { tryToStart(change) }
}

/// As a user who may not raise a limit.
func raiseLimit() {
    var limit = rlimit(rlim_cur: 100, rlim_max: 100)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    if getuid() == 0 {
        _ = setgid(65534)
        _ = setuid(65534)
    }
    tryToStart { $0.resourceLimits.openFiles = 200 }
}

func tryToStart(_ change: (inout ChildProcess.Options) -> Void) {
    var options = ChildProcess.Options()
    change(&options)
    do {
        _ = try ChildProcess.fork(path: "/bin/true", options: options)
        say("started")
    } catch {
        say("\(error)")
    }
}

/// With every number of descriptors free from one to enough.
func withoutDescriptors() {
    var taken: [Int32] = []
    var limit = rlimit(rlim_cur: 64, rlim_max: 64)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    while true {
        let descriptor = dup(0)
        if descriptor == -1 { break }
        taken.append(descriptor)
    }
    // The directory listing needs one itself.
    for free in 1...12 {
        close(taken.removeLast())
        if forkAndReport("free \(free)") { return }
    }
}

func withoutProcesses() {
    var limit = rlimit(rlim_cur: 0, rlim_max: 0)
    // RLIMIT_NPROC, which the Glibc module does not show.
    setrlimit(__rlimit_resource_t(6), &limit)
    // Root is above the limit.
    if getuid() == 0 {
        _ = setgid(65534)
        _ = setuid(65534)
    }
    forkAndReport("no processes")
}

func withSignalHandling(_ how: String) async throws {
    if how == "handler" {
        signal(SIGCHLD) { _ in
            let saved = errno
            while waitpid(-1, nil, WNOHANG) > 0 {}
            errno = saved
        }
    } else {
        signal(SIGCHLD, SIG_IGN)
    }
    for _ in 0..<20 {
        let child = try ChildProcess.fork(path: echoPath(), arguments: ["burst", "10", "exit"])
        var messages = 0
        var status: ChildProcess.ExitStatus?
        for await event in child.events {
            if case .message = event { messages += 1 }
            if case .exit(let exit) = event { status = exit }
        }
        say("\(messages) \(status.map { "\($0)" } ?? "none")")
    }
}

/// In a directory that this process may see but not enter.
func withoutEntry() {
    let directory = "/tmp/fork-test-\(getpid())"
    mkdir(directory, 0o600)
    defer { rmdir(directory) }
    chown(directory, 65534, 65534)
    if getuid() == 0 { _ = seteuid(65534) }
    var options = ChildProcess.Options()
    options.workingDirectory = FilePath(directory)
    forkAndReport("/bin/true", options)
    if getuid() == 0 { _ = seteuid(0) }
}

/// With the standard streams closed: what is opened then gets their numbers.
func withClosedStreams() async throws {
    let output = dup(1)
    for number in 0...2 { close(Int32(number)) }
    let child = try ChildProcess.fork(path: echoPath(), arguments: ["echo"])
    print("This goes nowhere")
    fflush(nil)
    _ = readLine()
    var messages = child.messages.makeAsyncIterator()
    try await child.send([1])
    let answer = await messages.next()
    child.disconnect()
    let status = try await child.waitForExit()
    dup2(output, 1)
    say("\(answer.map { "\($0)" } ?? "nothing") \(status)")
}

/// Sends texts to a child that wants numbers, and wants numbers of a child that sends texts.
func sendMisfits(_ count: Int, _ mode: String) async throws {
    var options = ChildProcess.Options()
    options.unhandledErrors = mode == "ignore" ? .ignore : .print
    let child = try ChildProcess.fork(
        path: Process.executableDirectory + "/fixture-child", arguments: ["misfits", "\(count)", mode], options: options
    )
    if mode == "handle" { child.onError { _ in } }
    child.onMessage(of: Int.self) { _ in }
    for number in 0..<count { try child.enqueue("text \(number)") }
    child.disconnect()
    for await _ in child.messages {}
    _ = try await child.waitForExit()
}

/// What a program without a parent gets.
func useProcess() async {
    do { try await Process.send("hello") } catch { say("\(error)") }
    await Process.waitUntilDisconnected()
    for await _ in Process.messages { say("message") }
    Process.disconnect()
    say("forked \(Process.isForked) connected \(Process.isConnected)")
}

switch CommandLine.arguments.dropFirst().first ?? "" {
case "orphan": try await orphan(CommandLine.arguments[2])
case "tie": try await tie()
case "emfile": withoutDescriptors()
case "eagain": withoutProcesses()
case "no-entry": withoutEntry()
case "closed-streams": try await withClosedStreams()
case "residue": try await leaveNoResidue()
case "stream-residue": try await leaveNoStreamResidue()
case "failures": failToStart()
case "forbidden": beForbidden()
case "raise": raiseLimit()
case "sigchld": try await withSignalHandling(CommandLine.arguments[2])
case "misfits": try await sendMisfits(Int(CommandLine.arguments[2])!, CommandLine.arguments[3])
case "unforked":
    Process.onMessage { _ in say("message") }
    Process.serve()
    await useProcess()
default: exit(64)
}
