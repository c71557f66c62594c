internal import Reactor

extension ChildProcess.ResourceLimits {
    /// All of them, with the names of the options and the kernel's numbers.
    var all: [(name: String, limit: ChildProcess.Limit?, number: CInt)] {
        [
            ("addressSpace", addressSpace, Resource.addressSpace),
            ("cpuSeconds", cpuSeconds, Resource.cpuSeconds),
            ("openFiles", openFiles, Resource.openFiles),
            ("coreSize", coreSize, Resource.coreSize),
            ("fileSize", fileSize, Resource.fileSize),
            ("processes", processes, Resource.processes),
        ]
    }
}
