#if Tokens

import Crypto
import CryptoExtras

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A key and its only permitted algorithm (RFC 8725 section 3.1).
struct VerificationKey: Sendable {
    /// The key in the form of the library that verifies signatures.
    private enum Key: Sendable {
        case hs256(SymmetricKey)
        case hs384(SymmetricKey)
        case hs512(SymmetricKey)
        case rs256(_RSA.Signing.PublicKey)
        case ps256(_RSA.Signing.PublicKey)
        case es256(P256.Signing.PublicKey)
        case es384(P384.Signing.PublicKey)
        case edDSA(Curve25519.Signing.PublicKey)
    }

    /// The key's `kid`; `nil` for a key that is tried for any `kid`.
    let id: String?
    /// The issuer whose tokens the key verifies; `nil` leaves that to `JWTVerifier.Configuration`.
    let issuer: String?
    /// The exact length of this key's signatures. Other lengths are refused before any computation.
    private let signatureBytes: Int
    private let key: Key

    /// The key's origin and owner.
    struct Label {
        var id: String?
        var issuer: String?
    }

    private init(_ key: Key, label: Label, signatureBytes: Int) throws(JWTVerifier.ConfigurationError) {
        guard label.id.map({ $0.utf8.count <= CompactToken.keyIDBytesMax }) ?? true else {
            throw JWTVerifier.ConfigurationError(
                .malformedKey, "A key id is longer than \(CompactToken.keyIDBytesMax) bytes. Use a shorter one.")
        }
        self.key = key
        self.id = label.id
        self.issuer = label.issuer
        self.signatureBytes = signatureBytes
    }

    var algorithm: JWTVerifier.Algorithm {
        switch key {
        case .hs256: .hs256
        case .hs384: .hs384
        case .hs512: .hs512
        case .rs256: .rs256
        case .ps256: .ps256
        case .es256: .es256
        case .es384: .es384
        case .edDSA: .edDSA
        }
    }

    func isSignature(_ signature: [UInt8], of signingInput: [UInt8]) -> Bool {
        guard signature.count == signatureBytes else { return false }
        switch key {
        // The library compares codes in constant time.
        case .hs256(let key):
            return HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: signingInput, using: key)
        case .hs384(let key):
            return HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: signingInput, using: key)
        case .hs512(let key):
            return HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: signingInput, using: key)
        case .rs256(let key):
            let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
            return key.isValidSignature(
                signature, for: SHA256.hash(data: signingInput), padding: .insecurePKCS1v1_5)
        case .ps256(let key):
            let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
            return key.isValidSignature(signature, for: SHA256.hash(data: signingInput), padding: .PSS)
        case .es256(let key):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA256.hash(data: signingInput))
        case .es384(let key):
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA384.hash(data: signingInput))
        case .edDSA(let key):
            return key.isValidSignature(signature, for: signingInput)
        }
    }
}

extension VerificationKey {
    static func hmac(
        secret: [UInt8], algorithm: JWTVerifier.Algorithm, label: Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        guard let hashBytes = algorithm.secretBytesMin else {
            throw JWTVerifier.ConfigurationError(
                .unsupportedKey, "\(algorithm.rawValue) verifies with a public key, not with a secret; use HS256.")
        }
        guard secret.count >= hashBytes else {
            throw JWTVerifier.ConfigurationError(
                .weakKey,
                "A secret for \(algorithm.rawValue) needs at least \(hashBytes) bytes, and this one has "
                    + "\(secret.count). Make one with `openssl rand -base64 \(hashBytes)`.")
        }
        let secret = SymmetricKey(data: secret)
        let key: Key =
            switch algorithm {
            case .hs384: .hs384(secret)
            case .hs512: .hs512(secret)
            default: .hs256(secret)
            }
        return try VerificationKey(key, label: label, signatureBytes: hashBytes)
    }

    static func rsa(
        _ key: _RSA.Signing.PublicKey, scheme: JWTVerifier.Algorithm.RSAScheme, label: Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        // Keys of fewer than 2048 bits are refused before.
        guard let modulusBytes = try? key.getKeyPrimitives().modulus.count, modulusBytes <= rsaModulusBytesMax else {
            throw JWTVerifier.ConfigurationError(
                .weakKey, "An RSA key is larger than \(rsaModulusBytesMax * 8) bits; use one of 2048–4096 bits.")
        }
        let bound: Key =
            switch scheme {
            case .rs256: .rs256(key)
            case .ps256: .ps256(key)
            }
        return try VerificationKey(bound, label: label, signatureBytes: modulusBytes)
    }

    static func ecdsa(
        p256 key: P256.Signing.PublicKey, label: Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        try VerificationKey(.es256(key), label: label, signatureBytes: 64)
    }

    static func ecdsa(
        p384 key: P384.Signing.PublicKey, label: Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        try VerificationKey(.es384(key), label: label, signatureBytes: 96)
    }

    static func ed25519(
        _ key: Curve25519.Signing.PublicKey, label: Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        try VerificationKey(.edDSA(key), label: label, signatureBytes: 64)
    }

    /// Verification time grows with the modulus. This bounds the cost of a single token.
    private static let rsaModulusBytesMax = 1024
}

#endif
