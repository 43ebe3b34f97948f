/// The reason why a token was refused. Never contains the token or a part of it.
public struct TokenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error, stable across releases.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        public static let missing = Code(rawValue: "missing")
        public static let malformed = Code(rawValue: "malformed")
        public static let unsupportedAlgorithm = Code(rawValue: "unsupported_algorithm")
        public static let unknownKey = Code(rawValue: "unknown_key")
        public static let badSignature = Code(rawValue: "bad_signature")
        public static let expired = Code(rawValue: "expired")
        public static let notYetValid = Code(rawValue: "not_yet_valid")
        public static let wrongIssuer = Code(rawValue: "wrong_issuer")
        public static let wrongAudience = Code(rawValue: "wrong_audience")
        public static let invalidClaim = Code(rawValue: "invalid_claim")
        /// The key set is unavailable: a failure of the hub, not of the token.
        public static let keysUnavailable = Code(rawValue: "keys_unavailable")
    }

    public let code: Code
    /// One sentence for the token's owner.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
