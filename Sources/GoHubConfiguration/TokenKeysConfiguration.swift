package import GoHubCore
internal import GoHubSystem

/// The sources of the keys for verifying tokens, and the requirements for tokens.
package struct TokenKeysConfiguration: Sendable {
    /// A secret shared with the issuer, for HMAC.
    package var secret: SecretSource?
    /// The algorithm of `secret`.
    package var algorithm: JWTVerifier.Algorithm
    /// Paths of PEM files with public keys.
    package var publicKeyPaths: [String]
    /// The algorithm of RSA keys that don't name one.
    package var rsa: JWTVerifier.Algorithm.RSAScheme
    /// The path of a file with a key set (RFC 7517).
    package var jwksPath: String?
    /// The URL of a key set (RFC 7517), and the times between its fetches.
    package var jwks: (location: JWKSLocation, settings: JWKSCache.Settings)?
    /// The requirements for tokens besides their signatures.
    package var token: JWTVerifier.Configuration

    /// Whether any key is configured; without one, the hub is in development mode.
    package var hasKeys: Bool { secret != nil || !publicKeyPaths.isEmpty || jwksPath != nil || jwks != nil }

    /// - Throws: `ConfigurationError` when the secret is given twice or a requirement is outside its range. Reads no
    ///   file.
    package init(_ values: ConfigurationValues) throws(ConfigurationError) {
        secret = try SecretSource(values, secret: .authSecret, file: .authSecretFile)
        algorithm = values.text(.authAlgorithm).flatMap(JWTVerifier.Algorithm.init(rawValue:)) ?? .hs256
        publicKeyPaths = values.list(.authPublicKeys)
        let rsa = values.text(.authRSAAlgorithm).flatMap(JWTVerifier.Algorithm.RSAScheme.init(rawValue:)) ?? .rs256
        self.rsa = rsa
        jwksPath = values.text(.authJWKSFile)
        jwks = values.text(.authJWKSURL).flatMap(JWKSLocation.init).map { location in
            let refresh = Duration.milliseconds(values.integer(.authJWKSRefreshMs))
            return (location, JWKSCache.Settings(rsa: rsa, refreshInterval: refresh))
        }
        do throws(JWTVerifier.ConfigurationError) {
            token = try JWTVerifier.Configuration(
                issuer: values.text(.authIssuer), audience: values.text(.authAudience),
                leewaySeconds: values.integer(.authLeewaySeconds),
                defaultGrants: values.text(.authDefaultGrants) == "none" ? Grants([]) : .participant,
                requireExpiry: values.flag(.authRequireExpiry), tokenBytesMax: values.integer(.authTokenBytesMax))
        } catch {
            throw ConfigurationError("auth: \(error)", underlying: error)
        }
    }

    /// Reads every key that isn't at a URL.
    ///
    /// - Throws: `ConfigurationError` that names the setting and the problem with its keys.
    package func readKeys() async throws(ConfigurationError) -> VerificationKeys {
        var sources: [(name: String, source: VerificationKeys.Source)] = []
        if let secret {
            let bytes = try secret.read(bytesMin: algorithm.secretBytesMin ?? 32)
            sources.append(("\(secret)", .secret(bytes, algorithm: algorithm)))
        }
        for path in publicKeyPaths {
            let bytes = try Self.read(path, for: .authPublicKeys)
            sources.append(("auth.publicKeys (\(path))", .pem(String(decoding: bytes, as: UTF8.self), rsa: rsa)))
        }
        if let jwksPath {
            let bytes = try Self.read(jwksPath, for: .authJWKSFile)
            sources.append(("auth.jwksFile (\(jwksPath))", .jwks(bytes, rsa: rsa)))
        }
        // Each separately first, so that an error can name its setting.
        for (name, source) in sources {
            do throws(JWTVerifier.ConfigurationError) {
                _ = try VerificationKeys([source])
            } catch {
                throw ConfigurationError("\(name): \(error)", underlying: error)
            }
        }
        do throws(JWTVerifier.ConfigurationError) {
            return try VerificationKeys(sources.map(\.source))
        } catch {
            throw ConfigurationError("auth: \(error)", underlying: error)
        }
    }

    private static func read(_ path: String, for key: ConfigurationKey) throws(ConfigurationError) -> [UInt8] {
        do throws(BoundedFile.Failure) {
            return try BoundedFile.read(path, bytesMax: 256 * 1024)
        } catch {
            throw ConfigurationError("\(key.name): \(error).", underlying: error)
        }
    }
}
