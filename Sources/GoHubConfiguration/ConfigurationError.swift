/// The reason why the daemon can't use its configuration: one or more whole sentences without secrets.
///
/// Each names the place of the wrong setting, the key, and the allowed values.
package struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    /// At least one, each one or more sentences.
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
