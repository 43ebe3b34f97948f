#if Tokens

extension VerificationKeys {
    /// The source of verification keys. The caller reads files and URLs; these cases take the contents.
    public enum Source: Sendable {
        /// A secret shared with the issuer, for HMAC: at least 32 bytes for HS256, 48 for HS384, 64 for HS512.
        case secret([UInt8], algorithm: JWTVerifier.Algorithm = .hs256, id: String? = nil, issuer: String? = nil)
        /// One or more public keys in PEM: RSA (`PUBLIC KEY` or `RSA PUBLIC KEY`), P-256, P-384 or Ed25519.
        ///
        /// The key type decides the algorithm: ES256, ES384 or EdDSA; `rsa` decides it for RSA. With `algorithm` all
        /// keys must be for that algorithm.
        case pem(
            String, algorithm: JWTVerifier.Algorithm? = nil, rsa: JWTVerifier.Algorithm.RSAScheme = .rs256,
            id: String? = nil,
            issuer: String? = nil)
        /// A key set (RFC 7517) from a source that only the operator writes; it may contain secrets (`oct`). `rsa` is
        /// the algorithm of RSA keys without `alg`.
        case jwks([UInt8], rsa: JWTVerifier.Algorithm.RSAScheme = .rs256, issuer: String? = nil)
    }
}

#endif
