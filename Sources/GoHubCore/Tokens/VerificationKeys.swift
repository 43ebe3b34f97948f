#if Tokens

/// The keys for verifying tokens, each bound to its algorithm. Immutable: a rotation creates a new value.
public struct VerificationKeys: Sendable {
    /// The maximum number of keys in a set.
    public static let keysMax = 64
    /// The maximum number of keys tried for a token without `kid`.
    static let candidatesMax = 4

    let keys: [VerificationKey]
    /// The reasons why members of key sets were ignored, one sentence each, for logging. Contains no key material.
    public let skipped: [String]

    /// No keys: for a verifier whose keys all come from a `JWKSCache`.
    public static let none = VerificationKeys(keys: [], skipped: [])

    public var isEmpty: Bool { keys.isEmpty }
    public var count: Int { keys.count }

    private init(keys: [VerificationKey], skipped: [String]) {
        self.keys = keys
        self.skipped = skipped
    }

    /// - Throws: `JWTVerifier.ConfigurationError` when a source has no usable key, or when there are more than
    ///   `keysMax` keys.
    public init(_ sources: [VerificationKeys.Source]) throws(JWTVerifier.ConfigurationError) {
        var keys: [VerificationKey] = []
        var skipped: [String] = []
        for source in sources {
            switch source {
            case .secret(let secret, let algorithm, let id, let issuer):
                let label = VerificationKey.Label(id: id, issuer: issuer)
                keys.append(try .hmac(secret: secret, algorithm: algorithm, label: label))
            case .pem(let text, let algorithm, let rsa, let id, let issuer):
                let label = VerificationKey.Label(id: id, issuer: issuer)
                keys += try PEMKeys.read(text, algorithm: algorithm, rsa: rsa, label: label)
            case .jwks(let json, let rsa, let issuer):
                let set = try JSONWebKeySet(parsing: json, allowingSecrets: true, rsa: rsa, issuer: issuer)
                keys += set.keys
                skipped += set.skipped
            }
        }
        try Self.checkCount(keys)
        self.init(keys: keys, skipped: skipped)
    }

    /// Reads a key set from a URL. A secret in it is public and therefore ignored.
    ///
    /// - Parameters:
    ///   - json: the key set (RFC 7517).
    ///   - rsa: the algorithm of RSA keys without `alg`.
    ///   - issuer: the required `iss` of tokens signed with these keys; `nil` leaves it to the
    ///     `JWTVerifier.Configuration`.
    /// - Throws: `JWTVerifier.ConfigurationError` when the bytes are not a key set, when none of its keys is usable, or
    ///   when there are more than `keysMax` keys.
    public init(
        publishedJWKS json: [UInt8], rsa: JWTVerifier.Algorithm.RSAScheme = .rs256, issuer: String? = nil
    ) throws(JWTVerifier.ConfigurationError) {
        let set = try JSONWebKeySet(parsing: json, allowingSecrets: false, rsa: rsa, issuer: issuer)
        try Self.checkCount(set.keys)
        self.init(keys: set.keys, skipped: set.skipped)
    }

    private static func checkCount(_ keys: [VerificationKey]) throws(JWTVerifier.ConfigurationError) {
        guard keys.count <= keysMax else {
            throw JWTVerifier.ConfigurationError(
                .tooManyKeys, "There are \(keys.count) keys, more than the limit of \(keysMax). Remove retired keys.")
        }
    }

    /// The union of both sets.
    func merging(_ other: VerificationKeys) -> VerificationKeys {
        if other.isEmpty { return self }
        return isEmpty ? other : VerificationKeys(keys: keys + other.keys, skipped: skipped + other.skipped)
    }
}

extension VerificationKeys {
    /// The result of looking up a token's key.
    enum Match {
        case candidates([VerificationKey])
        /// The token's key, or every candidate, is for another algorithm.
        case wrongAlgorithm
        /// More candidates match than are tried for a token without `kid`.
        case ambiguous
        case unknown
    }

    /// Selects the candidate keys for a token: the keys that its `kid` names, else the keys without a name; for a token
    /// without `kid` all keys. Only keys of the token's algorithm are candidates.
    func match(_ token: CompactToken) -> Match {
        if let id = token.keyID {
            // Compared as bytes, because `==` on strings equates canonically equivalent spellings.
            let named = keys.filter { $0.id.map { $0.utf8.elementsEqual(id.utf8) } ?? false }
            if !named.isEmpty { return Self.fitting(token.algorithm, in: named) ?? .wrongAlgorithm }
            return Self.fitting(token.algorithm, in: keys.filter { $0.id == nil }) ?? .unknown
        }
        return Self.fitting(token.algorithm, in: keys) ?? (isEmpty ? .unknown : .wrongAlgorithm)
    }

    private static func fitting(_ algorithm: JWTVerifier.Algorithm, in keys: [VerificationKey]) -> Match? {
        let fitting = keys.filter { $0.algorithm == algorithm }
        if fitting.isEmpty { return nil }
        return fitting.count <= candidatesMax ? .candidates(fitting) : .ambiguous
    }
}

#endif
