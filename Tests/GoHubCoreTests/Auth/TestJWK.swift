import Crypto
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

extension Curve25519.Signing.PrivateKey {
    func publicJWK(id: String) -> String {
        let x = Base64URL.encode(publicKey.rawRepresentation)
        return #"{"kty":"OKP","crv":"Ed25519","kid":"\#(id)","x":"\#(x)"}"#
    }
}

extension P256.Signing.PublicKey {
    func jwk(id: String) -> String { ellipticJWK("P-256", rawRepresentation, id) }
}

extension P384.Signing.PublicKey {
    func jwk(id: String) -> String { ellipticJWK("P-384", rawRepresentation, id) }
}

/// - Parameter point: both coordinates.
private func ellipticJWK(_ curve: String, _ point: Data, _ id: String) -> String {
    let x = Base64URL.encode(point.prefix(point.count / 2))
    let y = Base64URL.encode(point.suffix(point.count / 2))
    return #"{"kty":"EC","crv":"\#(curve)","kid":"\#(id)","x":"\#(x)","y":"\#(y)"}"#
}
