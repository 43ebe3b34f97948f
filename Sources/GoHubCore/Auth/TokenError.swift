/// The reason why a token was refused. Never contains the token or a part of it.
public struct TokenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error, stable across releases.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The token is empty.
        public static let missing = Code(rawValue: "missing")
        /// The token is too long, isn't three parts of base64url (RFC 7515, section 3.1), or has a header or claims
        /// that can't be read. Also for a header with `crit`, or with the `typ` of another kind of token (RFC 8725,
        /// section 3.11).
        public static let malformed = Code(rawValue: "malformed")
        /// `alg` is not one that is verified, or is not that of the keys found for the token (RFC 8725, section 3.1).
        public static let unsupportedAlgorithm = Code(rawValue: "unsupported_algorithm")
        /// No key has the token's `kid`, or more keys fit the token than are tried.
        public static let unknownKey = Code(rawValue: "unknown_key")
        /// The signature is missing, or none of the keys made it (RFC 7515, section 5.2).
        public static let badSignature = Code(rawValue: "bad_signature")
        /// The time is at or after `exp` plus the leeway (RFC 7519, section 4.1.4).
        public static let expired = Code(rawValue: "expired")
        /// The time is before `nbf` minus the leeway (RFC 7519, section 4.1.5).
        public static let notYetValid = Code(rawValue: "not_yet_valid")
        /// `iss` is not the required issuer (RFC 7519, section 4.1.1).
        public static let wrongIssuer = Code(rawValue: "wrong_issuer")
        /// `aud` does not contain the required audience (RFC 7519, section 4.1.3).
        public static let wrongAudience = Code(rawValue: "wrong_audience")
        /// `sub`, `tenant`, `name`, `rooms`, `exp` or `nbf` has the wrong form, or a required one is missing.
        public static let invalidClaim = Code(rawValue: "invalid_claim")
        /// The key set is unavailable: a failure of the hub, not of the token.
        public static let keysUnavailable = Code(rawValue: "keys_unavailable")
    }

    public let code: Code
    /// One sentence for the token's owner.
    public let message: String
    /// The error that caused this one, if any. Neither printed nor compared.
    public let underlying: (any Error)?

    /// - Parameters:
    ///   - code: the kind of the error.
    ///   - message: one or more sentences without secrets.
    ///   - underlying: the error that caused this one, if any.
    public init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    public var description: String { message }
}

extension TokenError: CodedError {}
