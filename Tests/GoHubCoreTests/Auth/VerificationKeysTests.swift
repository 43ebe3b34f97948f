import Crypto
import CryptoExtras
import Testing

@testable import GoHubCore

/// Which keys are accepted, and which are refused when they are loaded.
struct VerificationKeysTests {
    private func refusal(_ sources: VerificationKeys.Source...) async -> JWTVerifier.ConfigurationError.Code? {
        await configurationRefusal { () async throws(JWTVerifier.ConfigurationError) in try VerificationKeys(sources) }
    }

    private func publishedRefusal(_ json: String) async -> JWTVerifier.ConfigurationError.Code? {
        await configurationRefusal { () async throws(JWTVerifier.ConfigurationError) in
            try VerificationKeys(publishedJWKS: [UInt8](json.utf8))
        }
    }

    private func set(_ members: String...) -> String {
        #"{"keys":[\#(members.joined(separator: ","))]}"#
    }

    @Test(arguments: [(JWTVerifier.Algorithm.hs256, 32), (.hs384, 48), (.hs512, 64)])
    func shortSecrets(algorithm: JWTVerifier.Algorithm, bytes: Int) async {
        #expect(await refusal(.secret([], algorithm: algorithm)) == .weakKey)
        #expect(await refusal(.secret([UInt8](repeating: 7, count: bytes - 1), algorithm: algorithm)) == .weakKey)
        #expect(await refusal(.secret([UInt8](repeating: 7, count: bytes), algorithm: algorithm)) == nil)
    }

    @Test func secretsAreForHMACOnly() async {
        for algorithm in JWTVerifier.Algorithm.allCases where !algorithm.isSymmetric {
            #expect(await refusal(.secret(TestKeys.secret, algorithm: algorithm)) == .unsupportedKey)
        }
    }

    @Test func errorsNeverContainTheSecret() async {
        let error = #expect(throws: JWTVerifier.ConfigurationError.self) {
            try VerificationKeys([.secret([UInt8]("swordfish".utf8))])
        }
        #expect(error?.message.contains("swordfish") == false)
    }

    // MARK: PEM

    @Test func weakRSA() async {
        #expect(await refusal(.pem(TestKeys.weakRSAPublicPEM)) == .weakKey)
        let member = #"{"kty":"RSA","n":"\#(TestKeys.weakModulus)","e":"AQAB"}"#
        #expect(await publishedRefusal(set(member)) == .noKeys)
    }

    @Test func hugeRSA() async {
        let modulus = Base64URL.encode([UInt8](repeating: 0xFF, count: 1025))
        #expect(await publishedRefusal(set(#"{"kty":"RSA","n":"\#(modulus)","e":"AQAB"}"#)) == .noKeys)
    }

    @Test func otherKindsOfPEM() async throws {
        let key = P256.Signing.PrivateKey()
        #expect(await refusal(.pem(key.pemRepresentation)) == .privateKey)
        #expect(await refusal(.pem(try TestKeys.rsa().pemRepresentation)) == .privateKey)
        #expect(await refusal(.pem(TestKeys.x25519PublicPEM)) == .unsupportedKey)
        #expect(await refusal(.pem(TestKeys.p521PublicPEM)) == .unsupportedKey)
        let certificate = key.publicKey.pemRepresentation.replacing("PUBLIC KEY", with: "CERTIFICATE")
        #expect(await refusal(.pem(certificate)) == .unsupportedKey)
    }

    @Test func damagedPEM() async {
        let pem = P256.Signing.PrivateKey().publicKey.pemRepresentation
        #expect(await refusal(.pem("")) == .noKeys)
        #expect(await refusal(.pem("not a key")) == .noKeys)
        #expect(await refusal(.pem(String(pem.prefix(80)))) == .malformedKey)
        #expect(await refusal(.pem("-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n")) == .malformedKey)
        #expect(await refusal(.pem("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")) == .unsupportedKey)
        #expect(await refusal(.pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")) == .unsupportedKey)
        #expect(await refusal(.pem(String(repeating: "x", count: PEMKeys.bytesMax + 1))) == .malformedKey)
    }

    @Test func algorithmMustFitThePEM() async throws {
        let p256 = P256.Signing.PrivateKey().publicKey.pemRepresentation
        #expect(await refusal(.pem(p256, algorithm: .es256)) == nil)
        for algorithm in JWTVerifier.Algorithm.allCases where algorithm != .es256 {
            #expect(await refusal(.pem(p256, algorithm: algorithm)) == .unsupportedKey)
        }
        #expect(await refusal(.pem(TestKeys.rsaPublicPEM, algorithm: .rs256)) == nil)
        #expect(await refusal(.pem(TestKeys.rsaPublicPEM, algorithm: .hs256)) == .unsupportedKey)
    }

    /// The key's owner has limited it to one algorithm, and the library would drop the limit.
    @Test func rsaKeyWithParametersIsRefused() async {
        #expect(await refusal(.pem(TestKeys.rsaPSSPublicPEM)) == .unsupportedKey)
        #expect(await refusal(.pem(TestKeys.rsaPSSPublicPEM, algorithm: .ps256)) == .unsupportedKey)
    }

    @Test func pkcs1KeyIsRead() async throws {
        #expect(await refusal(.pem(TestKeys.pkcs1PublicPEM)) == nil)
        let damaged = TestKeys.pkcs1PublicPEM.replacing("MIIBCgKC", with: "MIIBCwKC")
        #expect(await refusal(.pem(damaged)) != nil)
    }

    /// Some tools write one long line, and environment variables have several in one.
    @Test(arguments: [1, 7, 63, 65, 76, 10_000])
    func linesMayHaveAnyLength(_ length: Int) async throws {
        let keys = [
            P256.Signing.PrivateKey().publicKey.pemRepresentation,
            P384.Signing.PrivateKey().publicKey.pemRepresentation,
            Curve25519.Signing.PrivateKey().publicKey.pemRepresentation, TestKeys.rsaPublicPEM,
        ]
        for key in keys {
            let body = key.split(separator: "\n").dropFirst().dropLast().joined()
            var lines = ["-----BEGIN PUBLIC KEY-----"]
            var rest = body[...]
            while !rest.isEmpty {
                lines.append("\t" + rest.prefix(length) + " ")
                rest = rest.dropFirst(length)
            }
            let text =
                "Bag Attributes: none\n" + (lines + ["-----END PUBLIC KEY-----", "end"]).joined(separator: "\r\n")
            #expect(await refusal(.pem(text)) == nil)
        }
    }

    /// Old and new key in one file, with the comments, line ends and indentation that files have.
    @Test func severalKeysInOneFile() async throws {
        let old = P256.Signing.PrivateKey()
        let new = Curve25519.Signing.PrivateKey()
        let file =
            "# keys\r\n" + old.publicKey.pemRepresentation.replacing("\n", with: "\r\n")
            + "\r\n\n  " + new.publicKey.pemRepresentation.replacing("\n", with: "\n  ") + "\n"
        let verifier = try await JWTVerifier.make(.pem(file))
        let first = TestSigner(old)
        let second = TestSigner(new)
        #expect(await verifier.refusal(of: try first.token()) == nil)
        #expect(await verifier.refusal(of: try second.token(keyID: "whatever")) == nil)
    }

    // MARK: Key sets

    @Test func unusableMembersAreLeftOut() async throws {
        let good = Curve25519.Signing.PrivateKey().publicJWK(id: "good")
        let rsa = #""kty":"RSA","n":"\#(TestKeys.modulus)","e":"AQAB""#
        let point = P256.Signing.PrivateKey().publicKey.jwk(id: "p")
        let unusable = [
            #"{\#(rsa),"use":"enc"}"#, #"{\#(rsa),"use":1}"#, #"{\#(rsa),"key_ops":["encrypt"]}"#,
            #"{\#(rsa),"key_ops":"verify"}"#, #"{\#(rsa),"alg":"RS512"}"#, #"{\#(rsa),"alg":"ES256"}"#,
            #"{\#(rsa),"alg":"HS256"}"#, #"{\#(rsa),"alg":null}"#, #"{\#(rsa),"kid":7}"#, #"{\#(rsa),"d":"AQAB"}"#,
            #"{"kty":"RSA","n":"\#(TestKeys.modulus)"}"#, #"{"kty":"RSA","n":"\#(TestKeys.modulus)","e":"AQ"}"#,
            #"{"kty":"RSA","n":"\#(TestKeys.modulus)=","e":"AQAB"}"#, #"{"kty":"RSA","n":"","e":""}"#,
            point.replacing("P-256", with: "P-384"), point.replacing("P-256", with: "secp256k1"),
            point.replacing(#""kty""#, with: #""alg":"ES384","kty""#),
            #"{"kty":"EC","crv":"P-256","x":"\#(Base64URL.encode([UInt8](repeating: 1, count: 32)))","#
                + #""y":"\#(Base64URL.encode([UInt8](repeating: 1, count: 32)))"}"#,
            good.replacing("Ed25519", with: "X25519"), good.replacing("Ed25519", with: "Ed448"),
            #"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#, #"{"kty":"AKP"}"#, #"{"kty":"RSA"}"#, "{}", "1", "null",
            #"{"kty":"oct","alg":"HS256","k":"\#(Base64URL.encode(TestKeys.secret))"}"#,
        ]
        for member in unusable {
            let keys = try VerificationKeys(publishedJWKS: [UInt8](set(good, member).utf8))
            #expect(keys.count == 1, "\(member)")
            #expect(keys.skipped.count == 1)
            #expect(await publishedRefusal(set(member)) == .noKeys)
        }
    }

    @Test func secretsInASetNeedAnAlgorithm() async {
        let key = Base64URL.encode(TestKeys.secret)
        #expect(await refusal(.jwks([UInt8](set(#"{"kty":"oct","alg":"HS512","k":"\#(key)"}"#).utf8))) == nil)
        for member in [
            #"{"kty":"oct","k":"\#(key)"}"#, #"{"kty":"oct","alg":"RS256","k":"\#(key)"}"#,
            #"{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}"#, #"{"kty":"oct","alg":"HS256"}"#,
        ] {
            #expect(await refusal(.jwks([UInt8](set(member).utf8))) == .noKeys)
        }
    }

    @Test(arguments: ["", "null", "[]", "{}", #"{"keys":{}}"#, #"{"keys":[}"#, #"{"keys":[],"keys":[]}"#])
    func malformedKeySetIsRefused(json: String) async {
        #expect(await publishedRefusal(json) == .malformedKey)
    }

    @Test func setsAreBounded() async throws {
        let good = Curve25519.Signing.PrivateKey().publicJWK(id: "good")
        let most = Array(repeating: good, count: 64).joined(separator: ",")
        #expect(await publishedRefusal(#"{"keys":[\#(most)]}"#) == nil)
        #expect(await publishedRefusal(#"{"keys":[\#(most),\#(good)]}"#) == .tooManyKeys)
        #expect(await publishedRefusal(set()) == .noKeys)
        let padding = String(repeating: " ", count: JSONWebKeySet.bytesMax)
        #expect(await publishedRefusal(padding + set(good)) == .malformedKey)
        let secrets = Array(repeating: VerificationKeys.Source.secret(TestKeys.secret), count: 65)
        #expect(
            await configurationRefusal { () async throws(JWTVerifier.ConfigurationError) in
                try VerificationKeys(secrets)
            } == .tooManyKeys)
    }

    /// The cost of a token without a `kid` is bounded.
    @Test func fewKeysAreTriedForATokenWithoutKeyID() async throws {
        let signer = TestSigner.hmac(TestKeys.secret)
        let others = (0..<3).map {
            VerificationKeys.Source.secret([UInt8](repeating: UInt8($0), count: 32), id: "k\($0)")
        }
        let own = VerificationKeys.Source.secret(TestKeys.secret, id: "own")
        let four = try JWTVerifier(
            keys: VerificationKeys(others + [own]), configuration: JWTVerifier.Configuration(), wallClock: { testNow })
        #expect(await four.refusal(of: try signer.token()) == nil)
        let five = try JWTVerifier(
            keys: VerificationKeys(others + [own, .secret(TestKeys.otherSecret, id: "x")]),
            configuration: JWTVerifier.Configuration(), wallClock: { testNow })
        #expect(await five.refusal(of: try signer.token()) == .unknownKey)
        #expect(await five.refusal(of: try signer.token(keyID: "own")) == nil)
    }
}
