#if Tokens

extension JWTVerifier {
    /// Requirements for a token besides its signature.
    public struct Configuration: Sendable, Hashable {
        /// The required `iss` (RFC 7519, section 4.1.1), unless the token's key is bound to an issuer. `nil` accepts
        /// any.
        public let issuer: String?
        /// The required value in `aud` (RFC 7519, section 4.1.3). `nil` accepts any: set it when the issuer also signs
        /// tokens for other services.
        public let audience: String?
        /// The tolerated clock difference between issuer and server in seconds, for `exp` and `nbf` (RFC 7519, sections
        /// 4.1.4 and 4.1.5).
        public let leewaySeconds: Int
        /// The grants of tokens without a `rooms` claim.
        public let defaultGrants: Grants
        /// Whether a token without `exp` is refused. A token that never expires can't be withdrawn.
        public let requireExpiry: Bool
        /// The longest token in bytes; a longer one is refused unread.
        public let tokenBytesMax: Int

        /// The largest leeway, in seconds.
        public static let leewaySecondsMax = 300
        /// The permitted values of `tokenBytesMax`, in bytes.
        public static let tokenBytesRange = 256...65_536

        /// - Throws: `JWTVerifier.ConfigurationError` for a leeway outside 0–300 s or a token size outside 256–65,536
        ///   bytes.
        public init(
            issuer: String? = nil, audience: String? = nil, leewaySeconds: Int = 30,
            defaultGrants: Grants = .participant,
            requireExpiry: Bool = true, tokenBytesMax: Int = 8192
        ) throws(JWTVerifier.ConfigurationError) {
            guard (0...Self.leewaySecondsMax).contains(leewaySeconds) else {
                throw JWTVerifier.ConfigurationError(
                    .invalidSetting, "The leeway is \(leewaySeconds) s; set it to 0–\(Self.leewaySecondsMax) s.")
            }
            guard Self.tokenBytesRange.contains(tokenBytesMax) else {
                throw JWTVerifier.ConfigurationError(
                    .invalidSetting,
                    "The token size limit is \(tokenBytesMax) bytes; set it to "
                        + "\(Self.tokenBytesRange.lowerBound)–\(Self.tokenBytesRange.upperBound) bytes.")
            }
            self.issuer = issuer
            self.audience = audience
            self.leewaySeconds = leewaySeconds
            self.defaultGrants = defaultGrants
            self.requireExpiry = requireExpiry
            self.tokenBytesMax = tokenBytesMax
        }
    }
}

#endif
