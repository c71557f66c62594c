extension ChildProcess {
    /// The child's standard input, where it is a pipe; nil otherwise.
    public var standardInput: ChildInput? { input(0) }

    /// The child's standard output, where it is a pipe; nil otherwise.
    public var standardOutput: ChildOutput? { output(1) }

    /// The child's standard error, where it is a pipe of its own; nil otherwise.
    public var standardError: ChildOutput? { output(2) }

    /// What the child reads from the descriptor of this number, where it is a pipe; nil otherwise.
    public func input(_ number: Int32) -> ChildInput? {
        inputs[number].map { ChildInput(writer: $0, number: number) }
    }

    /// What the child writes to the descriptor of this number, where it is a pipe of its own; nil otherwise.
    public func output(_ number: Int32) -> ChildOutput? {
        outputs[number].map { ChildOutput(reader: $0, pid: pid, number: number) }
    }
}
