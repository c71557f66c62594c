import Fork
import Glibc

/// Nanoseconds of the clock that all peers use.
func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// The seconds that this process has had of the processor.
func processorTime() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
}

/// A thread that may sleep, which those of the language should not.
enum Thread {
    static func start(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, box)
        pthread_detach(thread)
    }
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
