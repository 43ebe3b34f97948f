/// Why the daemon can't work with its configuration: one or more whole sentences, none of which holds a secret.
///
/// Each names where the wrong setting stands, the key, and what is allowed.
package struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    package let problems: [String]

    package init(_ problem: String) {
        problems = [problem]
    }

    /// - Parameter problems: at least one.
    package init(_ problems: [String]) {
        self.problems = problems
    }

    package var description: String { problems.joined(separator: "\n") }
}
