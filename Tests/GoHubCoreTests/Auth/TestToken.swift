import JWTKit

@testable import GoHubCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// 2027-01-15, the time of all the tests.
let testNow = WallTime(milliseconds: 1_800_000_000_000)
let testNowSeconds = 1_800_000_000

/// The least that a token must claim.
let plainClaims = #"{"sub":"ada","exp":1800000600}"#

/// Signs any header and claims, well-formed or not.
struct TestSigner {
    let signer: any JWTAlgorithm

    static func hmac(_ secret: [UInt8], _ digest: DigestAlgorithm = .sha256) async throws -> TestSigner {
        try await make { $0.add(hmac: HMACKey(from: secret), digestAlgorithm: digest) }
    }

    static func make(_ add: (isolated JWTKeyCollection) -> Void) async throws -> TestSigner {
        let collection = JWTKeyCollection()
        await add(collection)
        return TestSigner(signer: try await collection.getKey())
    }

    func token(_ claims: String = plainClaims, header: String? = nil, keyID: String? = nil) throws -> String {
        let named = keyID.map { #","kid":"\#($0)""# } ?? ""
        let header = header ?? #"{"alg":"\#(signer.name)"\#(named)}"#
        let signingInput = "\(Base64URL.encode(header.utf8)).\(Base64URL.encode(claims.utf8))"
        return try "\(signingInput).\(Base64URL.encode(signer.sign([UInt8](signingInput.utf8))))"
    }
}

extension JWTVerifier {
    static func make(
        _ sources: KeySource..., configuration: JWTConfiguration? = nil
    ) async throws -> JWTVerifier {
        try JWTVerifier(
            keys: await VerificationKeys(sources), configuration: configuration ?? JWTConfiguration(),
            wallClock: { testNow })
    }

    /// The code that a token is refused with; `nil` when it is accepted.
    func refusal(of token: String) async -> TokenError.Code? {
        do throws(TokenError) {
            _ = try await verify(token)
            return nil
        } catch {
            return error.code
        }
    }
}

/// The code of the error that making keys or a configuration ends with; `nil` when there is none.
func configurationRefusal<Value: Sendable>(
    _ make: () async throws(JWTConfigurationError) -> Value
) async -> JWTConfigurationError.Code? {
    do throws(JWTConfigurationError) {
        _ = try await make()
        return nil
    } catch {
        return error.code
    }
}
