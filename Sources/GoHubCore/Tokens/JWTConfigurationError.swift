#if Tokens

extension JWTVerifier {
    /// The reason why a key or a setting was refused. Says what to do; never contains a key.
    public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
        /// The kind of the error, stable across releases.
        public struct Code: RawRepresentable, Hashable, Sendable {
            public let rawValue: String

            public init(rawValue: String) {
                self.rawValue = rawValue
            }

            /// A secret shorter than its hash, or an RSA key outside 2048–8192 bits.
            public static let weakKey = Code(rawValue: "weak_key")
            /// A key type, curve, use or algorithm that is not supported, or an algorithm that doesn't fit the key.
            public static let unsupportedKey = Code(rawValue: "unsupported_key")
            /// Text that is not PEM, a key set or a public key, or that exceeds the bounds of one.
            public static let malformedKey = Code(rawValue: "malformed_key")
            /// A private key instead of a public one.
            public static let privateKey = Code(rawValue: "private_key")
            /// A source without a usable key, or a verifier without a source.
            public static let noKeys = Code(rawValue: "no_keys")
            /// More keys than `VerificationKeys.keysMax`.
            public static let tooManyKeys = Code(rawValue: "too_many_keys")
            /// A setting outside its range.
            public static let invalidSetting = Code(rawValue: "invalid_setting")
        }

        public let code: Code
        /// One or two sentences for the operator.
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
}

extension JWTVerifier.ConfigurationError: CodedError {}

#endif
