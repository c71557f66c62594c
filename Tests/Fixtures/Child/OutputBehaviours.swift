import Fork
import Glibc

/// Prints a line, and then waits, or ends in a way that empties no buffer.
func printLine(isLineBuffered: Bool, end: String) {
    if isLineBuffered { Process.lineBuffersOutput() }
    print("last words")
    switch end {
    case "killed": kill(getpid(), SIGKILL)
    case "aborted": abort()
    default: break
    }
    while true { pause() }
}
