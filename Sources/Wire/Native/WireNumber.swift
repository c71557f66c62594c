/// The numbers in a hello and in a description.
enum WireNumber {
    /// The largest: every integer up to it is a double, too.
    static let largest = (1 << 53) - 1
}
