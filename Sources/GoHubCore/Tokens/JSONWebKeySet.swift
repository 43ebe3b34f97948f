#if Tokens

import Crypto
import CryptoExtras

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A key set (RFC 7517), reduced to the keys that can verify tokens here.
///
/// Other members are ignored, as section 5 requires: issuers publish encryption keys and new key types in the same set.
/// A set without a usable key is an error.
struct JSONWebKeySet {
    /// The largest key set that is read. Large issuers publish about 10 KB.
    static let bytesMax = 256 * 1024
    /// The maximum number of members read.
    static let membersMax = 64

    private(set) var keys: [VerificationKey] = []
    private(set) var skipped: [String] = []

    /// - Parameters:
    ///   - allowingSecrets: whether `oct` keys are accepted; only from a source that nobody else can read.
    ///   - rsa: the algorithm of RSA keys without `alg`.
    init(
        parsing bytes: [UInt8], allowingSecrets: Bool, rsa: JWTVerifier.Algorithm.RSAScheme, issuer: String?
    ) throws(JWTVerifier.ConfigurationError) {
        guard bytes.count <= Self.bytesMax else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "The key set is larger than \(Self.bytesMax) bytes.")
        }
        let json: TokenJSON
        do {
            json = try TokenJSON(parsing: bytes)
        } catch {
            throw JWTVerifier.ConfigurationError(
                .malformedKey, "The key set is not valid JSON: \(error.reason).", underlying: error)
        }
        guard let members = json.object?["keys"]?.array else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "The key set has no `keys` array (RFC 7517 section 5).")
        }
        guard members.count <= Self.membersMax else {
            throw JWTVerifier.ConfigurationError(
                .tooManyKeys, "The key set has \(members.count) members; at most \(Self.membersMax) are read.")
        }
        for (index, member) in members.enumerated() {
            do {
                keys.append(
                    try Self.read(member, allowingSecrets: allowingSecrets, rsa: rsa, issuer: issuer))
            } catch {
                skipped.append("Key \(index + 1) of the set is ignored. \(error.message)")
            }
        }
        guard !keys.isEmpty else {
            throw JWTVerifier.ConfigurationError(
                .noKeys, (["The key set has no key that can verify tokens."] + skipped).joined(separator: " "))
        }
    }

    private static func read(
        _ json: TokenJSON, allowingSecrets: Bool, rsa: JWTVerifier.Algorithm.RSAScheme, issuer: String?
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        guard let member = json.object else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "It is not an object.")
        }
        try checkPurpose(member)
        if let id = member["kid"], id.string == nil {
            throw JWTVerifier.ConfigurationError(.malformedKey, "Its `kid` is not a string.")
        }
        let label = VerificationKey.Label(id: member["kid"]?.string, issuer: issuer)
        let algorithm = try algorithm(of: member)
        switch member["kty"]?.string {
        case "oct":
            guard allowingSecrets else {
                throw JWTVerifier.ConfigurationError(
                    .unsupportedKey, "It is a secret and has been published. Replace it.")
            }
            return try readSecret(member, algorithm: algorithm, label: label)
        case "RSA":
            return try readRSA(member, algorithm: algorithm, rsa: rsa, label: label)
        case "EC":
            return try readEC(member, algorithm: algorithm, label: label)
        case "OKP":
            return try readOKP(member, algorithm: algorithm, label: label)
        default:
            throw JWTVerifier.ConfigurationError(.unsupportedKey, "Its `kty` is not RSA, EC or OKP.")
        }
    }

    /// `use`, `key_ops` (RFC 7517 sections 4.2 and 4.3), and no private parts.
    private static func checkPurpose(_ member: [String: TokenJSON]) throws(JWTVerifier.ConfigurationError) {
        if let use = member["use"], use.string != "sig" {
            throw JWTVerifier.ConfigurationError(.unsupportedKey, "Its `use` is not `sig`.")
        }
        if let operations = member["key_ops"], operations.array?.contains(.string("verify")) != true {
            throw JWTVerifier.ConfigurationError(.unsupportedKey, "Its `key_ops` do not include `verify`.")
        }
        guard member["d"] == nil else {
            throw JWTVerifier.ConfigurationError(
                .privateKey,
                "It is a private key and has been published. Replace it, and publish only the new public key.")
        }
    }

    private static func algorithm(of member: [String: TokenJSON]) throws(JWTVerifier.ConfigurationError)
        -> JWTVerifier.Algorithm?
    {
        guard let name = member["alg"] else { return nil }
        guard let algorithm = name.string.flatMap(JWTVerifier.Algorithm.init(rawValue:)) else {
            throw JWTVerifier.ConfigurationError(.unsupportedKey, "This server does not accept its `alg`.")
        }
        return algorithm
    }

    /// The bytes of a member in base64url.
    private static func bytes(_ member: TokenJSON?) -> [UInt8]? {
        member?.string.flatMap { Base64URL.decode($0.utf8) }
    }

    private static let wrongAlgorithm = JWTVerifier.ConfigurationError(
        .unsupportedKey, "Its `alg` does not fit its `kty` and `crv`.")

    private static func readSecret(
        _ member: [String: TokenJSON], algorithm: JWTVerifier.Algorithm?, label: VerificationKey.Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        guard let algorithm, algorithm.isSymmetric else {
            throw JWTVerifier.ConfigurationError(
                .unsupportedKey, "It is a secret; its `alg` must say HS256, HS384 or HS512.")
        }
        guard let secret = bytes(member["k"]) else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "Its `k` is not base64url.")
        }
        return try .hmac(secret: secret, algorithm: algorithm, label: label)
    }

    private static func readRSA(
        _ member: [String: TokenJSON], algorithm: JWTVerifier.Algorithm?, rsa: JWTVerifier.Algorithm.RSAScheme,
        label: VerificationKey.Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        guard let scheme = algorithm.map({ JWTVerifier.Algorithm.RSAScheme(rawValue: $0.rawValue) }) ?? rsa else {
            throw wrongAlgorithm
        }
        guard let modulus = bytes(member["n"]), let exponent = bytes(member["e"]),
            let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
        else {
            throw JWTVerifier.ConfigurationError(.weakKey, "Its RSA numbers are damaged, or have fewer than 2048 bits.")
        }
        return try .rsa(key, scheme: scheme, label: label)
    }

    private static func readEC(
        _ member: [String: TokenJSON], algorithm: JWTVerifier.Algorithm?, label: VerificationKey.Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        let curve = member["crv"]?.string
        let coordinateBytes = curve == "P-256" ? 32 : 48
        guard curve == "P-256" || curve == "P-384" else {
            throw JWTVerifier.ConfigurationError(.unsupportedKey, "Its curve is not P-256 or P-384.")
        }
        guard algorithm == nil || algorithm == (curve == "P-256" ? .es256 : .es384) else { throw wrongAlgorithm }
        // Both in full length (RFC 7518 section 6.2.1.2). The library checks that the point is on the curve.
        guard let x = bytes(member["x"]), x.count == coordinateBytes, let y = bytes(member["y"]),
            y.count == coordinateBytes
        else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "Its coordinates have the wrong form or length.")
        }
        // The uncompressed form (SEC 1, section 2.3.3).
        let point = [0x04] + x + y
        if curve == "P-256", let key = try? P256.Signing.PublicKey(x963Representation: point) {
            return try .ecdsa(p256: key, label: label)
        }
        if curve == "P-384", let key = try? P384.Signing.PublicKey(x963Representation: point) {
            return try .ecdsa(p384: key, label: label)
        }
        throw JWTVerifier.ConfigurationError(.malformedKey, "Its point is not on its curve.")
    }

    private static func readOKP(
        _ member: [String: TokenJSON], algorithm: JWTVerifier.Algorithm?, label: VerificationKey.Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        guard member["crv"]?.string == "Ed25519" else {
            throw JWTVerifier.ConfigurationError(.unsupportedKey, "Its curve is not Ed25519.")
        }
        guard algorithm == nil || algorithm == .edDSA else { throw wrongAlgorithm }
        guard let x = bytes(member["x"]), x.count == 32,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x)
        else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "Its `x` has the wrong form or length.")
        }
        return try .ed25519(key, label: label)
    }
}

#endif
