/// What a token must say besides being signed.
public struct JWTConfiguration: Sendable, Hashable {
    /// The `iss` that tokens must have, unless their key is bound to an issuer of its own. `nil` takes any.
    public let issuer: String?
    /// What `aud` must be or contain. `nil` takes any: set it when the issuer also signs tokens for other services.
    public let audience: String?
    /// How far the clocks of issuer and server may be apart, for `exp` and `nbf`.
    public let leewaySeconds: Int
    /// What tokens without a `rooms` claim allow.
    public let defaultGrants: Grants
    /// Whether a token without `exp` is refused. One that never expires can't be withdrawn.
    public let requireExpiry: Bool
    /// The longest token, in bytes; a longer one is refused unread.
    public let tokenBytesMax: Int

    public static let leewaySecondsMax = 300
    public static let tokenBytesRange = 256...65_536

    /// - Throws: `JWTConfigurationError` for a leeway outside 0–300 s or a token size outside 256 B–64 KB.
    public init(
        issuer: String? = nil, audience: String? = nil, leewaySeconds: Int = 30, defaultGrants: Grants = .participant,
        requireExpiry: Bool = true, tokenBytesMax: Int = 8192
    ) throws(JWTConfigurationError) {
        guard (0...Self.leewaySecondsMax).contains(leewaySeconds) else {
            throw JWTConfigurationError(
                .invalidSetting, "The leeway is \(leewaySeconds) s; set it to 0–\(Self.leewaySecondsMax) s.")
        }
        guard Self.tokenBytesRange.contains(tokenBytesMax) else {
            throw JWTConfigurationError(
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

/// Why a key or a setting was refused. Says what to do; never holds a key.
public struct JWTConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A secret that is shorter than its hash, or an RSA key outside 2048–8192 bits.
        public static let weakKey = Code(rawValue: "weak_key")
        public static let unsupportedKey = Code(rawValue: "unsupported_key")
        public static let malformedKey = Code(rawValue: "malformed_key")
        /// A private key where a public one belongs.
        public static let privateKey = Code(rawValue: "private_key")
        public static let noKeys = Code(rawValue: "no_keys")
        public static let tooManyKeys = Code(rawValue: "too_many_keys")
        public static let invalidSetting = Code(rawValue: "invalid_setting")
    }

    public let code: Code
    /// One or two sentences for the operator.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
