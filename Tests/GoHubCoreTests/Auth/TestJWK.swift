import JWTKit
import Testing

@testable import GoHubCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

enum Base64URLText {
    static func of(_ bytes: some Sequence<UInt8>) -> String {
        Base64URL.encode(bytes)
    }
}

extension EdDSA.PrivateKey {
    func publicJWK(id: String) -> String {
        let x = Base64URL.encode(publicKey.rawRepresentation)
        return #"{"kty":"OKP","crv":"Ed25519","kid":"\#(id)","x":"\#(x)"}"#
    }
}

extension ECDSA.PublicKey {
    func jwk(id: String) throws -> String {
        let point = try #require(parameters)
        let x = Base64URL.encode(try #require(Data(base64Encoded: point.x)))
        let y = Base64URL.encode(try #require(Data(base64Encoded: point.y)))
        return #"{"kty":"EC","crv":"\#(curve.rawValue)","kid":"\#(id)","x":"\#(x)","y":"\#(y)"}"#
    }
}
