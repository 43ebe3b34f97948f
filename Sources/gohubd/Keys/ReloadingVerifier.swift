internal import GoHubConfiguration
internal import GoHubCore
internal import Synchronization

/// Verifies tokens with keys that can be reloaded while in use.
final class ReloadingVerifier: TokenVerifier {
    private let configuration: TokenKeysConfiguration
    private let cache: JWKSCache?
    private let verifier: Mutex<JWTVerifier>

    /// - Parameter cache: the keys from a URL, if there is one; it refreshes itself.
    /// - Throws: `ConfigurationError` when there is no key, or an invalid one.
    init(_ configuration: TokenKeysConfiguration, cache: JWKSCache?) async throws(ConfigurationError) {
        self.configuration = configuration
        self.cache = cache
        verifier = Mutex(try await Self.makeVerifier(configuration, cache))
    }

    /// Reads the files again. If one of them is invalid, all keys stay unchanged.
    func reload() async throws(ConfigurationError) {
        let fresh = try await Self.makeVerifier(configuration, cache)
        verifier.withLock { $0 = fresh }
    }

    func verify(_ token: String) async throws(TokenError) -> Credentials {
        let current = verifier.withLock { $0 }
        return try await current.verify(token)
    }

    private static func makeVerifier(
        _ configuration: TokenKeysConfiguration, _ cache: JWKSCache?
    ) async throws(ConfigurationError) -> JWTVerifier {
        let keys = try await configuration.readKeys()
        do throws(JWTVerifier.ConfigurationError) {
            return try JWTVerifier(keys: keys, cache: cache, configuration: configuration.token)
        } catch {
            throw ConfigurationError("auth: \(error)", underlying: error)
        }
    }
}
