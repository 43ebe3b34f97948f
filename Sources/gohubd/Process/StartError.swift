/// The reason why the daemon couldn't start although its configuration is valid.
///
/// Without a code, because all of them end the daemon in the same way.
struct StartError: Error, CustomStringConvertible {
    /// One or two sentences that say what to do.
    let message: String
    /// The error that caused this one, if any. Not printed.
    let underlying: (any Error)?

    init(_ message: String, underlying: (any Error)? = nil) {
        self.message = message
        self.underlying = underlying
    }

    var description: String { message }
}
