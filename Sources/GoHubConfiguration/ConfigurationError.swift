/// The reason why the daemon can't use its configuration: one or more whole sentences without secrets.
///
/// Each names the place of the wrong setting, the key, and the allowed values. Without a code, because all of them end
/// the daemon in the same way.
package struct ConfigurationError: Error, CustomStringConvertible {
    /// At least one, each one or more sentences.
    package let problems: [String]
    /// The error that caused this one, if any. Neither printed nor compared.
    package let underlying: (any Error)?

    package init(_ problem: String, underlying: (any Error)? = nil) {
        problems = [problem]
        self.underlying = underlying
    }

    /// - Parameter problems: at least one.
    package init(_ problems: [String]) {
        self.problems = problems
        underlying = nil
    }

    package var message: String { problems.joined(separator: "\n") }

    package var description: String { message }
}

extension ConfigurationError: Equatable {
    package static func == (left: ConfigurationError, right: ConfigurationError) -> Bool {
        left.problems == right.problems
    }
}
