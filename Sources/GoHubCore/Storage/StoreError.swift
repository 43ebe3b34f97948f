/// Why a store couldn't. The message is for the log; a client is told `unavailable`.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    /// Whether what was to be stored may be stored all the same, now or later: its outcome is unknown.
    public let mayBeStored: Bool

    /// - Parameter mayBeStored: false where it is certain that nothing was, and will be, stored.
    public init(_ message: String, mayBeStored: Bool = true) {
        self.message = message
        self.mayBeStored = mayBeStored
    }

    /// The same, where nothing was, or will be, stored.
    public var withNothingStored: StoreError { StoreError(message, mayBeStored: false) }

    public var description: String { message }
}
