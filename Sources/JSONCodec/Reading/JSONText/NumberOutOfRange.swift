/// Why no double can hold a number that is written with a fraction or an exponent.
enum NumberOutOfRange {
    case tooLarge, tooSmall

    var error: JSONError {
        switch self {
        case .tooLarge:
            JSONError(.numberOutOfRange, "A number is larger than any double; send it as a string.")
        case .tooSmall:
            JSONError(
                .numberOutOfRange, "A number is not zero, but nearer to zero than any double; send it as a string.")
        }
    }
}
