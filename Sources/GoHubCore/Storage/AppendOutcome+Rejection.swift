extension AppendOutcome {
    /// The reason why a change request is rejected, or a message is not stored.
    public enum Rejection: Hashable, Sendable {
        /// There is no such message: it never existed, is a change, was deleted, or was removed by retention.
        case notFound
        /// The message belongs to another user.
        case forbidden
        /// The message has reached a reaction limit.
        case tooManyReactions
        /// A file of the message is missing, incomplete, or in another room.
        case fileNotFound
    }
}
