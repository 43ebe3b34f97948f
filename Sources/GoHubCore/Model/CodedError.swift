/// The shape of GoHub's errors: a code for decisions, a message for people, and the error that caused it.
///
/// An error is equal to another one with the same code and message. The underlying error is not compared, because not
/// every error can be. It isn't printed either, because an error of another library can contain a secret.
package protocol CodedError: Error, Hashable, CustomStringConvertible {
    associatedtype Code: RawRepresentable<String>, Hashable, Sendable

    var code: Code { get }
    /// One or two sentences that say what to do. Never contains a secret.
    var message: String { get }
    /// The error that caused this one, if any. Neither printed nor compared.
    var underlying: (any Error)? { get }
    /// The code and the message for the operator's log, to follow the name of what failed: `(full): No space is left.`
    var logText: String { get }
}

extension CodedError {
    public static func == (left: Self, right: Self) -> Bool {
        left.code == right.code && left.message == right.message
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
    }

    package var logText: String { "(\(code.rawValue)): \(message)" }
}
