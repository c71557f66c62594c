public import Fork

/// The setting that the name of a workload ends with.
public func latency(named workload: String) -> MessageLoop.Latency? {
    if workload.hasSuffix("-lowest") { return .lowest }
    return workload.hasSuffix("-efficient") ? .efficient : nil
}
