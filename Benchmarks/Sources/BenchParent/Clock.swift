import Fork
import Glibc

/// Nanoseconds of the clock that all peers use.
func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

func rate(_ count: Int, from start: Int, to end: Int) -> JSON {
    ["rate": .double(Double(count) / Double(end - start) * 1e9)]
}

/// What the times at which answers came say about the ways between them.
func summary(ofAnswersAt times: [Int]) -> JSON {
    let trips = zip(times.dropFirst(), times).map { $0 - $1 }
    var result = percentiles(of: trips)
    result["rate"] = .double(Double(trips.count) / Double(times.last! - times.first!) * 1e9)
    return result
}

/// In microseconds.
func percentiles(of times: [Int]) -> JSON {
    let times = times.sorted()
    func percentile(_ percent: Int) -> JSON { .double(Double(times[times.count * percent / 100]) / 1000) }
    return ["p50": percentile(50), "p99": percentile(99)]
}

func fail(_ reason: String) -> Never {
    let line = Array("BenchParent: \(reason)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    exit(1)
}
