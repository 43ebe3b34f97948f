/// Verifies JWTs (RFC 7519) with the keys of the server, never with one that a token brings.
///
/// With its keys at hand it only computes: it takes no lock for long, hops to no actor and does no I/O. Only a token
/// whose key is missing from a `JWKSCache` waits, for at most one fetch.
public struct JWTVerifier: TokenVerifier {
    private let keys: VerificationKeys
    private let cache: JWKSCache?
    private let configuration: JWTConfiguration
    private let wallClock: @Sendable () -> WallTime

    /// - Parameters:
    ///   - keys: the keys that stay: secrets, PEM, a key set from a file.
    ///   - cache: the keys from a URL, if any. Its `run()` is the caller's to run.
    ///   - wallClock: what `exp` and `nbf` are compared with.
    /// - Throws: `JWTConfigurationError` when there are neither keys nor a cache.
    public init(
        keys: VerificationKeys = .none, cache: JWKSCache? = nil, configuration: JWTConfiguration,
        wallClock: @escaping @Sendable () -> WallTime = HubTime.system.wall
    ) throws(JWTConfigurationError) {
        guard !keys.isEmpty || cache != nil else {
            throw JWTConfigurationError(.noKeys, "No token can be verified: configure a secret, a PEM file or a JWKS.")
        }
        self.keys = keys
        self.cache = cache
        self.configuration = configuration
        self.wallClock = wallClock
    }

    /// Runs on the global executor wherever it is called from, so that no event loop does the mathematics.
    @concurrent
    public func verify(_ token: String) async throws(TokenError) -> Credentials {
        let token = try CompactToken(parsing: token, bytesMax: configuration.tokenBytesMax)
        let key = try await signingKey(of: token)
        let claims = try TokenClaims(parsing: token.payload)
        return try claims.credentials(keyIssuer: key.issuer, configuration: configuration, now: wallClock())
    }

    /// The key whose signature the token bears, if need be after asking its issuer for new keys.
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
                throw TokenError(.badSignature, "The token's signature is wrong.")
            }
            return key
        case .ambiguous:
            throw TokenError(.unknownKey, "The token must name its key with `kid`: several could have signed it.")
        case .wrongAlgorithm where isWaitingForKeys, .unknown where isWaitingForKeys:
            throw TokenError(.keysUnavailable, "The keys to verify the token aren't available now; try again.")
        case .wrongAlgorithm:
            throw TokenError(.unsupportedAlgorithm, "No key that the token could mean is for the algorithm it names.")
        case .unknown:
            throw TokenError(.unknownKey, "The token is signed with a key that this server doesn't know.")
        }
    }
}
