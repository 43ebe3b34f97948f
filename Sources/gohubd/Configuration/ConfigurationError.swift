/// Why the daemon can't work with its configuration: one or more whole sentences, none of which holds a secret.
///
/// Each names where the wrong setting stands, the key, and what is allowed.
struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    let problems: [String]

    init(_ problem: String) {
        problems = [problem]
    }

    /// - Parameter problems: at least one.
    init(_ problems: [String]) {
        self.problems = problems
    }

    var description: String { problems.joined(separator: "\n") }
}
