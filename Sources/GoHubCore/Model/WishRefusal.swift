/// Why a wish is not to be a fact, or a message not to be stored.
public enum WishRefusal: Hashable, Sendable {
    /// There is no such message: never was, is a fact, was deleted, or is gone by retention.
    case notFound
    /// It is another's.
    case forbidden
    /// It has too many reactions, or too many of this user's.
    case tooManyReactions
    /// Of the files that the message should hold one isn't there, isn't complete, or is another room's.
    case fileNotFound
}
