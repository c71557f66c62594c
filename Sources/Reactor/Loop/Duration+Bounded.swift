extension Duration {
    /// The same, but neither negative nor longer than 68 years, so that a point in time so far ahead can be reckoned.
    package var bounded: Duration {
        min(max(self, .zero), .seconds(Int32.max))
    }
}
