// Any program that prints. It reads numbers from its standard input, and complains about what is none.

import Glibc

while let line = readLine() {
    if let number = Int(line) {
        print("the square of \(number) is \(number * number)")
    } else {
        let complaint = "not a number: \(line)\n"
        write(2, complaint, complaint.utf8.count)
    }
}
print("done", terminator: "")
