/// The reason for a store's failure. The message is for the log; a client receives `unavailable`.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    /// Whether the data may be stored nevertheless, now or later: the outcome is unknown.
    public let mayBeStored: Bool

    /// - Parameters:
    ///   - message: one sentence for the log.
    ///   - mayBeStored: false if it is certain that nothing was or will be stored.
    public init(_ message: String, mayBeStored: Bool = true) {
        self.message = message
        self.mayBeStored = mayBeStored
    }

    /// The same error with the certainty that nothing was or will be stored.
    public var withNothingStored: StoreError { StoreError(message, mayBeStored: false) }

    public var description: String { message }
}
