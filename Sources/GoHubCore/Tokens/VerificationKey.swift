import JWTKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A key and its only permitted algorithm (RFC 8725 section 3.1).
struct VerificationKey: Sendable {
    let algorithm: TokenAlgorithm
    /// The key's `kid`; `nil` for a key that is tried for any `kid`.
    let id: String?
    /// The issuer whose tokens the key verifies; `nil` leaves that to `JWTConfiguration`.
    let issuer: String?
    /// The exact length of this key's signatures. Other lengths are refused before any computation.
    private let signatureBytes: Int
    private let checker: any JWTAlgorithm

    /// The key's origin and owner.
    struct Label {
        var id: String?
        var issuer: String?
    }

    func isSignature(_ signature: [UInt8], of signingInput: [UInt8]) -> Bool {
        guard signature.count == signatureBytes else { return false }
        // An error here means a malformed signature, which counts as an invalid one.
        return (try? checker.verify(signature, signs: signingInput)) ?? false
    }

    private init(
        _ algorithm: TokenAlgorithm, label: Label, signatureBytes: Int,
        add: (isolated JWTKeyCollection) -> Void
    ) async throws(JWTConfigurationError) {
        guard label.id.map({ $0.utf8.count <= CompactToken.keyIDBytesMax }) ?? true else {
            throw JWTConfigurationError(
                .malformedKey, "A key id is longer than \(CompactToken.keyIDBytesMax) bytes. Use a shorter one.")
        }
        // jwt-kit provides its algorithms only through a collection. One is created for each key and asked once, so
        // that verifying later needs no actor.
        let collection = JWTKeyCollection()
        await add(collection)
        guard let checker = try? await collection.getKey(), checker.name == algorithm.rawValue else {
            throw JWTConfigurationError(.unsupportedKey, "A key does not match the algorithm \(algorithm.rawValue).")
        }
        self.algorithm = algorithm
        self.id = label.id
        self.issuer = label.issuer
        self.signatureBytes = signatureBytes
        self.checker = checker
    }
}

extension VerificationKey {
    static func hmac(
        secret: [UInt8], algorithm: TokenAlgorithm, label: Label
    ) async throws(JWTConfigurationError) -> VerificationKey {
        guard let hashBytes = algorithm.secretBytesMin else {
            throw JWTConfigurationError(
                .unsupportedKey, "\(algorithm.rawValue) verifies with a public key, not with a secret; use HS256.")
        }
        guard secret.count >= hashBytes else {
            throw JWTConfigurationError(
                .weakKey,
                "A secret for \(algorithm.rawValue) needs at least \(hashBytes) bytes, and this one has "
                    + "\(secret.count). Make one with `openssl rand -base64 \(hashBytes)`.")
        }
        let digest: DigestAlgorithm =
            switch algorithm {
            case .hs384: .sha384
            case .hs512: .sha512
            default: .sha256
            }
        return try await VerificationKey(algorithm, label: label, signatureBytes: hashBytes) { collection in
            collection.add(hmac: HMACKey(from: secret), digestAlgorithm: digest)
        }
    }

    /// - Parameter algorithm: RS256 or PS256.
    static func rsa(
        _ key: Insecure.RSA.PublicKey, algorithm: TokenAlgorithm, label: Label
    ) async throws(JWTConfigurationError) -> VerificationKey {
        guard let modulusBytes = try? key.getKeyPrimitives().modulus.count, modulusBytes <= rsaModulusBytesMax else {
            throw JWTConfigurationError(
                .weakKey, "An RSA key is larger than \(rsaModulusBytesMax * 8) bits; use one of 2048–4096 bits.")
        }
        return try await VerificationKey(algorithm, label: label, signatureBytes: modulusBytes) { collection in
            if algorithm == .ps256 {
                collection.add(pss: key, digestAlgorithm: .sha256)
            } else {
                collection.add(rsa: key, digestAlgorithm: .sha256)
            }
        }
    }

    static func ecdsa(
        p256 key: ES256PublicKey, label: Label
    ) async throws(JWTConfigurationError) -> VerificationKey {
        try await VerificationKey(.es256, label: label, signatureBytes: 64) { $0.add(ecdsa: key) }
    }

    static func ecdsa(
        p384 key: ES384PublicKey, label: Label
    ) async throws(JWTConfigurationError) -> VerificationKey {
        try await VerificationKey(.es384, label: label, signatureBytes: 96) { $0.add(ecdsa: key) }
    }

    static func ed25519(
        _ key: EdDSA.PublicKey, label: Label
    ) async throws(JWTConfigurationError) -> VerificationKey {
        try await VerificationKey(.edDSA, label: label, signatureBytes: 64) { $0.add(eddsa: key) }
    }

    /// Verification time grows with the modulus. This bounds the cost of a single token.
    private static let rsaModulusBytesMax = 1024
}
