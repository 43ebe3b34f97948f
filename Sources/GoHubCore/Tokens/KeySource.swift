/// Where verification keys come from. Reading files and URLs is the caller's: these take the contents.
public enum KeySource: Sendable {
    /// A secret shared with the issuer, for HMAC: at least 32 bytes for HS256, 48 for HS384, 64 for HS512.
    case secret([UInt8], algorithm: TokenAlgorithm = .hs256, id: String? = nil, issuer: String? = nil)
    /// One or more public keys in PEM: RSA (`PUBLIC KEY` or `RSA PUBLIC KEY`), P-256, P-384 or Ed25519.
    ///
    /// The kind of key decides the algorithm: ES256, ES384 or EdDSA; for RSA `rsa` does. With `algorithm` all keys must be
    /// for that one.
    case pem(
        String, algorithm: TokenAlgorithm? = nil, rsa: RSAScheme = .rs256, id: String? = nil, issuer: String? = nil)
    /// A key set (RFC 7517) from a place that only the operator writes to; it may hold secrets (`oct`). Its RSA keys
    /// without `alg` are for `rsa`.
    case jwks([UInt8], rsa: RSAScheme = .rs256, issuer: String? = nil)
}
