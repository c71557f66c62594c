// A server that accepts connections and hands each to one of two workers, in turn. The workers talk to the clients
// themselves: no byte of theirs comes by here. So that there is something to see, it is its own client.

import Fork
import Glibc

func say(_ text: String) {
    print("[Server] \(text)")
    fflush(nil)
}

struct Worker {
    let name: String
    let child: ChildProcess

    init(name: String) throws {
        self.name = name
        child = try ChildProcess.fork(path: Process.executableDirectory + "/worker", arguments: [name])
        child.onError { say("error: \($0)") }
    }

    /// Gives the connection away: this process's copy is closed once the message has been written.
    func serve(_ connection: FileDescriptor, number: Int) throws {
        try child.send(["connection": number], handles: Handles(owning: connection))
    }
}

do {
    let workers = try [Worker(name: "first worker"), Worker(name: "second worker")]
    let listener = try Listener()
    for number in 1...6 {
        let client = try Client(port: listener.port)
        let worker = workers[(number - 1) % workers.count]
        try worker.serve(try listener.accept(), number: number)
        try client.write("client \(number)\n")
        say("the client got: \(try client.readToEnd())")
    }
    for worker in workers {
        worker.child.disconnect()
        say("the \(worker.name) has \(try await worker.child.waitForExit())")
    }
} catch {
    say("failed: \(error)")
    exit(1)
}
