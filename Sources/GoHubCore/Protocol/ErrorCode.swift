/// What went wrong with a command: a stable string for programs, beside a sentence for people.
public struct ErrorCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Not JSON, a field missing or of the wrong form, an unknown `op`.
    public static let badRequest = ErrorCode(rawValue: "bad_request")
    /// The token is missing, wrong or expired.
    public static let unauthorized = ErrorCode(rawValue: "unauthorized")
    /// The token doesn't allow it, or a moderator has taken it away.
    public static let forbidden = ErrorCode(rawValue: "forbidden")
    /// What the command names isn't there.
    public static let notFound = ErrorCode(rawValue: "not_found")
    /// Too fast; `retryAfterMs` says when to try again.
    public static let rateLimited = ErrorCode(rawValue: "rate_limited")
    /// Over a limit that `welcome` told.
    public static let tooLarge = ErrorCode(rawValue: "too_large")
    /// The command doesn't fit the state, such as a `send` into a room that wasn't joined.
    public static let conflict = ErrorCode(rawValue: "conflict")
    /// The hub can't now; a retry with the same id is safe.
    public static let unavailable = ErrorCode(rawValue: "unavailable")
    /// The hub's fault.
    public static let `internal` = ErrorCode(rawValue: "internal")
}
