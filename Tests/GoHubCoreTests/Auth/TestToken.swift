import Crypto
import CryptoExtras

@testable import GoHubCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// 2027-01-15, the current time in all tests.
let testNow = WallTime(milliseconds: 1_800_000_000_000)
let testNowSeconds = 1_800_000_000

/// The minimal claims.
let plainClaims = #"{"sub":"ada","exp":1800000600}"#

/// Signs any header and claims, well-formed or not.
struct TestSigner: Sendable {
    /// The `alg` of its headers.
    let name: String
    let sign: @Sendable ([UInt8]) throws -> [UInt8]

    enum Digest: String {
        case sha256 = "256"
        case sha384 = "384"
        case sha512 = "512"
    }

    static func hmac(_ secret: [UInt8], _ digest: Digest = .sha256) -> TestSigner {
        let key = SymmetricKey(data: secret)
        return TestSigner(name: "HS\(digest.rawValue)") { input in
            switch digest {
            case .sha256: Array(HMAC<SHA256>.authenticationCode(for: input, using: key))
            case .sha384: Array(HMAC<SHA384>.authenticationCode(for: input, using: key))
            case .sha512: Array(HMAC<SHA512>.authenticationCode(for: input, using: key))
            }
        }
    }

    private init(name: String, sign: @escaping @Sendable ([UInt8]) throws -> [UInt8]) {
        self.name = name
        self.sign = sign
    }

    init(_ key: P256.Signing.PrivateKey) {
        self.init(name: "ES256") { try Array(key.signature(for: SHA256.hash(data: $0)).rawRepresentation) }
    }

    init(_ key: P384.Signing.PrivateKey) {
        self.init(name: "ES384") { try Array(key.signature(for: SHA384.hash(data: $0)).rawRepresentation) }
    }

    init(_ key: Curve25519.Signing.PrivateKey) {
        self.init(name: "EdDSA") { try Array(key.signature(for: $0)) }
    }

    init(pss key: _RSA.Signing.PrivateKey) {
        self.init(name: "PS256") {
            try Array(key.signature(for: SHA256.hash(data: $0), padding: .PSS).rawRepresentation)
        }
    }

    init(rsa key: _RSA.Signing.PrivateKey, _ digest: Digest = .sha256) {
        self.init(name: "RS\(digest.rawValue)") { input in
            let signature =
                switch digest {
                case .sha256: try key.signature(for: SHA256.hash(data: input), padding: .insecurePKCS1v1_5)
                case .sha384: try key.signature(for: SHA384.hash(data: input), padding: .insecurePKCS1v1_5)
                case .sha512: try key.signature(for: SHA512.hash(data: input), padding: .insecurePKCS1v1_5)
                }
            return Array(signature.rawRepresentation)
        }
    }

    func token(_ claims: String = plainClaims, header: String? = nil, keyID: String? = nil) throws -> String {
        let named = keyID.map { #","kid":"\#($0)""# } ?? ""
        let header = header ?? #"{"alg":"\#(name)"\#(named)}"#
        let signingInput = "\(Base64URL.encode(header.utf8)).\(Base64URL.encode(claims.utf8))"
        return try "\(signingInput).\(Base64URL.encode(sign([UInt8](signingInput.utf8))))"
    }
}

extension JWTVerifier {
    static func make(
        _ sources: VerificationKeys.Source..., configuration: JWTVerifier.Configuration? = nil
    ) async throws -> JWTVerifier {
        try JWTVerifier(
            keys: VerificationKeys(sources), configuration: configuration ?? JWTVerifier.Configuration(),
            wallClock: { testNow })
    }

    /// The error code of the refusal, or `nil` if the token is accepted.
    func refusal(of token: String) async -> TokenError.Code? {
        do throws(TokenError) {
            _ = try await verify(token)
            return nil
        } catch {
            return error.code
        }
    }
}

/// The code of the error from making keys or a configuration, or `nil` if there is none.
func configurationRefusal<Value: Sendable>(
    _ make: () async throws(JWTVerifier.ConfigurationError) -> Value
) async -> JWTVerifier.ConfigurationError.Code? {
    do throws(JWTVerifier.ConfigurationError) {
        _ = try await make()
        return nil
    } catch {
        return error.code
    }
}
