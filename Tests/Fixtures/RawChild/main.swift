// A child that knows nothing of the package: it writes the bytes it is told, as hexadecimal digits, to its channel, and
// then ends, is killed, waits for the end of the stream or for a frame that says so, or sleeps.
//
// Arguments: a number of bytes of the text to write (-1: all), what to do then, and the digits.

import Glibc

let arguments = CommandLine.arguments
guard arguments.count == 4, let name = getenv("SWIFT_FORK_CHANNEL_FD") ?? getenv("NODE_CHANNEL_FD"),
    let channel = Int32(String(cString: name))
else {
    exit(64)
}

var bytes: [UInt8] = []
var digits = arguments[3].utf8.makeIterator()
func value(_ digit: UInt8) -> UInt8 { digit < 0x3a ? digit - 0x30 : (digit | 0x20) - 0x57 }
while let high = digits.next(), let low = digits.next() { bytes.append(value(high) << 4 | value(low)) }
if let count = Int(arguments[1]), count >= 0 { bytes = Array(bytes.prefix(count)) }

var written = 0
while written < bytes.count {
    let count = bytes[written...].withUnsafeBytes { write(channel, $0.baseAddress, $0.count) }
    if count <= 0 { exit(65) }
    written += count
}

switch arguments[2] {
case "exit": exit(0)
case "kill": kill(getpid(), SIGKILL)
case "sleep": break
default:
    let end: [UInt8] = [0, 0, 0, 12, 7] + [UInt8](repeating: 0, count: 11)
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(channel, &buffer, buffer.count)
        if count <= 0 || buffer[..<count].suffix(end.count) == end[...] { exit(0) }
    }
}
while true { pause() }
