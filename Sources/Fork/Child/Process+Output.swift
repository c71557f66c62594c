internal import Reactor

extension Process {
    /// Makes each line that this program prints leave it at once, also if its standard output is a pipe or a file.
    ///
    /// `print` writes to a buffer of the C library. The library empties it at each line only if the standard output is
    /// a terminal; otherwise when it is full, and when the program returns from `main` or calls `exit`. So a parent
    /// that reads the output through a pipe gets the lines late, and never gets those that were in the buffer when the
    /// child crashed or was killed.
    ///
    /// Call it first in `main`, before anything is printed: C allows it at no other time. Each line then costs a system
    /// call. The standard error needs nothing of the kind, because it has no buffer.
    public static func lineBuffersOutput() {
        System.lineBuffersOutput()
    }
}
