#if Tokens

/// Verifies JWTs (RFC 7519) with the server's keys, never with a key from the token.
///
/// With the keys available it only computes: it holds no lock for long, hops to no actor and does no I/O. Only a token
/// whose key is missing from a `JWKSCache` waits, for at most one fetch.
public struct JWTVerifier: TokenVerifier {
    private let keys: VerificationKeys
    private let cache: JWKSCache?
    private let configuration: JWTVerifier.Configuration
    private let wallClock: @Sendable () -> WallTime

    /// - Parameters:
    ///   - keys: the static keys: secrets, PEM, a key set from a file.
    ///   - cache: the keys from a URL, if any. The caller runs its `run()`.
    ///   - configuration: the requirements besides the signature.
    ///   - wallClock: the clock for `exp` and `nbf`.
    /// - Throws: `JWTVerifier.ConfigurationError` when there are neither keys nor a cache.
    public init(
        keys: VerificationKeys = .none, cache: JWKSCache? = nil, configuration: JWTVerifier.Configuration,
        wallClock: @escaping @Sendable () -> WallTime = Hub.Time.system.wall
    ) throws(JWTVerifier.ConfigurationError) {
        guard !keys.isEmpty || cache != nil else {
            throw JWTVerifier.ConfigurationError(
                .noKeys, "No token can be verified: configure a secret, a PEM file or a JWKS.")
        }
        self.keys = keys
        self.cache = cache
        self.configuration = configuration
        self.wallClock = wallClock
    }

    /// Runs on the global executor, so that no event loop computes signatures.
    @concurrent
    public func verify(_ token: String) async throws(TokenError) -> Credentials {
        let token = try CompactToken(parsing: token, bytesMax: configuration.tokenBytesMax)
        let key = try await signingKey(of: token)
        let claims = try TokenClaims(parsing: token.payload)
        return try claims.credentials(keyIssuer: key.issuer, configuration: configuration, now: wallClock())
    }

    /// The key that made the token's signature, after fetching new keys if necessary.
    private func signingKey(of token: CompactToken) async throws(TokenError) -> VerificationKey {
        do throws(TokenError) {
            return try signingKeyAtHand(of: token)
        } catch {
            guard let cache, cache.mayGain(keyFor: token) else { throw error }
            await cache.refreshAfterMiss()
            return try signingKeyAtHand(of: token)
        }
    }

    private func signingKeyAtHand(of token: CompactToken) throws(TokenError) -> VerificationKey {
        let published = cache?.keys
        let isWaitingForKeys = published?.isEmpty == true && !token.algorithm.isSymmetric
        switch (published.map { keys.merging($0) } ?? keys).match(token) {
        case .candidates(let candidates):
            guard let key = candidates.first(where: { $0.isSignature(token.signature, of: token.signingInput) }) else {
                throw TokenError(.badSignature, "The token's signature is invalid.")
            }
            return key
        case .ambiguous:
            throw TokenError(
                .unknownKey, "The token must name its key with `kid`, because several keys could have signed it.")
        case .wrongAlgorithm where isWaitingForKeys, .unknown where isWaitingForKeys:
            throw TokenError(.keysUnavailable, "The keys to verify the token are not available. Try again later.")
        case .wrongAlgorithm:
            throw TokenError(.unsupportedAlgorithm, "No matching key supports the token's algorithm.")
        case .unknown:
            throw TokenError(.unknownKey, "The token is signed with an unknown key.")
        }
    }
}

#endif
