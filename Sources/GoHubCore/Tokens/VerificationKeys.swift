/// The keys that tokens are verified with, each bound to its algorithm. Immutable: a rotation makes a new value.
public struct VerificationKeys: Sendable {
    /// The most keys in a set.
    public static let keysMax = 64
    /// How many keys are tried for a token that doesn't name its own.
    static let candidatesMax = 4

    let keys: [VerificationKey]
    /// Why members of key sets were left out, a sentence each, for a log. Holds no key material.
    public let skipped: [String]

    /// No keys: for a verifier whose keys all come from a `JWKSCache`.
    public static let none = VerificationKeys(keys: [], skipped: [])

    public var isEmpty: Bool { keys.isEmpty }
    public var count: Int { keys.count }

    private init(keys: [VerificationKey], skipped: [String]) {
        self.keys = keys
        self.skipped = skipped
    }

    /// - Throws: `JWTConfigurationError` when a source has no usable key, or all of them have more than `keysMax`.
    public init(_ sources: [KeySource]) async throws(JWTConfigurationError) {
        var keys: [VerificationKey] = []
        var skipped: [String] = []
        for source in sources {
            switch source {
            case .secret(let secret, let algorithm, let id, let issuer):
                let label = VerificationKey.Label(id: id, issuer: issuer)
                keys.append(try await .hmac(secret: secret, algorithm: algorithm, label: label))
            case .pem(let text, let algorithm, let rsa, let id, let issuer):
                let label = VerificationKey.Label(id: id, issuer: issuer)
                keys += try await PEMKeys.read(text, algorithm: algorithm, rsa: rsa, label: label)
            case .jwks(let json, let rsa, let issuer):
                let set = try await JSONWebKeySet(parsing: json, allowingSecrets: true, rsa: rsa, issuer: issuer)
                keys += set.keys
                skipped += set.skipped
            }
        }
        try Self.checkCount(keys)
        self.init(keys: keys, skipped: skipped)
    }

    /// Reads a key set that came from a URL: a secret in it is known to the world and therefore left out.
    ///
    /// - Parameter rsa: what RSA keys without `alg` are for.
    public init(
        publishedJWKS json: [UInt8], rsa: RSAScheme = .rs256, issuer: String? = nil
    ) async throws(JWTConfigurationError) {
        let set = try await JSONWebKeySet(parsing: json, allowingSecrets: false, rsa: rsa, issuer: issuer)
        try Self.checkCount(set.keys)
        self.init(keys: set.keys, skipped: set.skipped)
    }

    private static func checkCount(_ keys: [VerificationKey]) throws(JWTConfigurationError) {
        guard keys.count <= keysMax else {
            throw JWTConfigurationError(
                .tooManyKeys, "There are \(keys.count) keys; at most \(keysMax) are used. Remove retired ones.")
        }
    }

    /// Both sets as one.
    func merging(_ other: VerificationKeys) -> VerificationKeys {
        if other.isEmpty { return self }
        return isEmpty ? other : VerificationKeys(keys: keys + other.keys, skipped: skipped + other.skipped)
    }
}

extension VerificationKeys {
    /// What the set has for a token.
    enum Match {
        case candidates([VerificationKey])
        /// The token's key, or any that it could mean, is for another algorithm.
        case wrongAlgorithm
        /// More keys fit than are tried for a token without `kid`.
        case ambiguous
        case unknown
    }

    /// Picks the keys to verify a token with: the ones that its `kid` names, else the ones without a name; for a token
    /// without `kid` all of them. Always only those of the token's algorithm.
    func match(_ token: CompactToken) -> Match {
        if let id = token.keyID {
            // Compared as bytes: `==` on strings would take canonically equivalent spellings for one.
            let named = keys.filter { $0.id.map { $0.utf8.elementsEqual(id.utf8) } ?? false }
            if !named.isEmpty { return Self.fitting(token.algorithm, in: named) ?? .wrongAlgorithm }
            return Self.fitting(token.algorithm, in: keys.filter { $0.id == nil }) ?? .unknown
        }
        return Self.fitting(token.algorithm, in: keys) ?? (isEmpty ? .unknown : .wrongAlgorithm)
    }

    private static func fitting(_ algorithm: TokenAlgorithm, in keys: [VerificationKey]) -> Match? {
        let fitting = keys.filter { $0.algorithm == algorithm }
        if fitting.isEmpty { return nil }
        return fitting.count <= candidatesMax ? .candidates(fitting) : .ambiguous
    }
}
