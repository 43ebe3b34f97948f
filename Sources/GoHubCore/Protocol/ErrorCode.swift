/// A command's error: a stable string for programs, beside a sentence for people.
public struct ErrorCode: RawRepresentable, Hashable, Sendable {
    /// Lower-case ASCII, words joined with `_`.
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The message is not JSON, or a field is missing or malformed.
    public static let badRequest = ErrorCode(rawValue: "bad_request")
    /// The token is missing, invalid or expired, or the command came before `welcome`.
    public static let unauthorized = ErrorCode(rawValue: "unauthorized")
    /// The token doesn't grant it, or a moderator has revoked it.
    public static let forbidden = ErrorCode(rawValue: "forbidden")
    /// The `op`, or something that the command names, does not exist.
    public static let notFound = ErrorCode(rawValue: "not_found")
    /// The rate limit is exceeded; `retryAfterMs` says when to retry.
    public static let rateLimited = ErrorCode(rawValue: "rate_limited")
    /// Above a limit: a text, the number of rooms or of files, or the reactions to a message.
    public static let tooLarge = ErrorCode(rawValue: "too_large")
    /// The command doesn't fit the state, such as a `send` to a room that wasn't joined.
    public static let conflict = ErrorCode(rawValue: "conflict")
    /// The hub can't process the command now; a retry with the same id is safe.
    public static let unavailable = ErrorCode(rawValue: "unavailable")
    /// An internal failure of the hub.
    public static let `internal` = ErrorCode(rawValue: "internal")
}
