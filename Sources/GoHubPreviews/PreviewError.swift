/// The reason why no previews can be made.
public struct PreviewError: Error, CustomStringConvertible {
    /// One or two sentences that say what to do.
    public let message: String
    /// The error that caused this one, if any. Not printed.
    public let underlying: (any Error)?

    init(_ message: String, underlying: (any Error)? = nil) {
        self.message = message
        self.underlying = underlying
    }

    public var description: String { message }
}
