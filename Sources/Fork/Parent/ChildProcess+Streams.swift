extension ChildProcess {
    /// The child's standard input; nil if that is not a pipe.
    public var standardInput: ChildInput? { input(0) }

    /// The child's standard output; nil if that is not a pipe.
    public var standardOutput: ChildOutput? { output(1) }

    /// The child's standard error; nil if that is not a pipe of its own.
    public var standardError: ChildOutput? { output(2) }

    /// What the child reads from the descriptor of this number; nil if that is not a pipe.
    public func input(_ number: Int32) -> ChildInput? {
        inputs[number].map { ChildInput(writer: $0, number: number) }
    }

    /// What the child writes to the descriptor of this number; nil if that is not a pipe of its own.
    public func output(_ number: Int32) -> ChildOutput? {
        outputs[number].map { ChildOutput(reader: $0, pid: pid, number: number) }
    }
}
