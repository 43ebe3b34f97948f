#if Tokens

extension JWTVerifier {
    /// A signature algorithm that GoHub verifies (RFC 7518 section 3.1, RFC 8037 section 3.1).
    ///
    /// Every key is bound to its algorithm when it is loaded. A token's `alg` must match its key; it never selects how
    /// the key is used. `none` isn't a case, so no code path can request it.
    public enum Algorithm: String, Hashable, Sendable, CaseIterable {
        /// HMAC with SHA-256 (RFC 7518, section 3.2).
        case hs256 = "HS256"
        /// HMAC with SHA-384 (RFC 7518, section 3.2).
        case hs384 = "HS384"
        /// HMAC with SHA-512 (RFC 7518, section 3.2).
        case hs512 = "HS512"
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
        case rs256 = "RS256"
        /// RSASSA-PSS with SHA-256 (RFC 7518, section 3.5).
        case ps256 = "PS256"
        /// ECDSA with P-256 and SHA-256 (RFC 7518, section 3.4).
        case es256 = "ES256"
        /// ECDSA with P-384 and SHA-384 (RFC 7518, section 3.4).
        case es384 = "ES384"
        /// Ed25519 (RFC 8037, section 3.1); its keys sign nothing else.
        case edDSA = "EdDSA"

        /// For HMAC: the size of the hash, which is also the minimum size of a secret (RFC 7518 section 3.2). `nil` for
        /// algorithms that verify with a public key.
        public var secretBytesMin: Int? {
            switch self {
            case .hs256: 32
            case .hs384: 48
            case .hs512: 64
            case .rs256, .ps256, .es256, .es384, .edDSA: nil
            }
        }

        /// Verified with a secret that can also sign. Such a key is never accepted from a URL.
        public var isSymmetric: Bool { secretBytesMin != nil }
    }
}

extension JWTVerifier.Algorithm {
    /// The signature scheme of RSA keys that don't name one: keys in PEM, and keys of a key set without `alg`.
    ///
    /// An RSA key fits both schemes and must verify only one (RFC 8725 section 3.1); otherwise a weakness of either
    /// scheme would affect the key.
    public enum RSAScheme: String, Hashable, Sendable, CaseIterable {
        /// RSASSA-PKCS1-v1_5 with SHA-256: used by nearly all issuers.
        case rs256 = "RS256"
        /// RSASSA-PSS with SHA-256.
        case ps256 = "PS256"

        var algorithm: JWTVerifier.Algorithm {
            switch self {
            case .rs256: .rs256
            case .ps256: .ps256
            }
        }
    }
}

#endif
