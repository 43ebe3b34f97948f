/// The reason why the daemon couldn't start although its configuration is valid: one sentence that says what to do.
struct StartError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
