/// Why the daemon couldn't start though its configuration is good: one sentence that says what to do.
struct StartError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
