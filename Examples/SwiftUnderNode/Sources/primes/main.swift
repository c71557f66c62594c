// A Swift child that does not know who its parent is. It counts primes.

import Fork

struct Question: Decodable {
    var below: Int
}

struct Answer: Encodable {
    var below: Int
    var primes: Int
}

func countPrimes(below limit: Int) -> Int {
    guard limit > 2 else { return 0 }
    var isComposite = [Bool](repeating: false, count: limit)
    var count = 0
    for number in 2..<limit where !isComposite[number] {
        count += 1
        for multiple in stride(from: number * number, to: limit, by: number) { isComposite[multiple] = true }
    }
    return count
}

Process.onMessage(of: Question.self) { question in
    try Process.send(Answer(below: question.below, primes: countPrimes(below: question.below)))
}
Process.onError { print("[Swift] error:", $0.code) }
Process.serve()
