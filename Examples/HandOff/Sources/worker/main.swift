// The worker. Each message brings a connection, which is the worker's own: it answers on it and closes it.

import Fork
import Glibc

let name = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "worker"

Process.onError { print("[\(name)] error: \($0)") }

Process.onMessage { message in
    // The handle closes the connection when it ends, at the end of this function.
    guard let connection = message.takeHandle() else { return }
    let socket = connection.fileDescriptor
    var request = [UInt8](repeating: 0, count: 256)
    let count = recv(socket.rawValue, &request, request.count, 0)
    guard count > 0 else { return }
    let client = String(decoding: request[..<count], as: UTF8.self).prefix { $0 != "\n" }
    let number = message.json["connection"]?.integerValue ?? 0
    let answer = "Hello, \(client)! The \(name) serves connection \(number)."
    send(socket.rawValue, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
}
Process.serve()
