import GoHubCore
import Crypto
import CryptoExtras
import Testing

/// Signs and verifies with every algorithm, and checks that a key serves only its own.
struct JWTAlgorithmTests {
    @Test(arguments: [
        (JWTVerifier.Algorithm.hs256, TestSigner.Digest.sha256), (.hs384, .sha384), (.hs512, .sha512),
    ])
    func hmac(algorithm: JWTVerifier.Algorithm, digest: TestSigner.Digest) async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret, algorithm: algorithm))
        let token = try TestSigner.hmac(TestKeys.secret, digest).token()
        #expect(try await verifier.verify(token).user.value == "ada")
        let foreign = try TestSigner.hmac(TestKeys.otherSecret, digest).token()
        #expect(await verifier.refusal(of: foreign) == .badSignature)
    }

    @Test func mismatchedHMACIsRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret, algorithm: .hs512))
        let token = try TestSigner.hmac(TestKeys.secret).token()
        #expect(await verifier.refusal(of: token) == .unsupportedAlgorithm)
    }

    @Test func rsaFromPEM() async throws {
        let key = try TestKeys.rsa()
        let rs256 = try TestSigner(rsa: key).token()
        let ps256 = try TestSigner(pss: key).token()
        let rs512 = try TestSigner(rsa: key, .sha512).token()

        let standard = try await JWTVerifier.make(.pem(TestKeys.rsaPublicPEM))
        #expect(try await standard.verify(rs256).user.value == "ada")
        #expect(await standard.refusal(of: ps256) == .unsupportedAlgorithm)
        #expect(await standard.refusal(of: rs512) == .unsupportedAlgorithm)

        for source in [
            VerificationKeys.Source.pem(TestKeys.rsaPublicPEM, algorithm: .ps256),
            .pem(TestKeys.rsaPublicPEM, rsa: .ps256),
        ] {
            let pss = try await JWTVerifier.make(source)
            #expect(try await pss.verify(ps256).user.value == "ada")
            #expect(await pss.refusal(of: rs256) == .unsupportedAlgorithm)
        }
    }

    /// The key's `alg` decides if it has one, otherwise the configuration.
    @Test(arguments: JWTVerifier.Algorithm.RSAScheme.allCases) func rsaFromAKeySet(
        configured: JWTVerifier.Algorithm.RSAScheme
    )
        async throws
    {
        let key = try TestKeys.rsa()
        let signers = [
            JWTVerifier.Algorithm.RSAScheme.rs256: TestSigner(rsa: key),
            .ps256: TestSigner(pss: key),
        ]
        for (member, expected) in [("", configured), (#","alg":"RS256""#, .rs256), (#","alg":"PS256""#, .ps256)] {
            let set = #"{"keys":[{"kty":"RSA","kid":"r","n":"\#(TestKeys.modulus)","e":"AQAB"\#(member)}]}"#
            let bytes = [UInt8](set.utf8)
            let published = try VerificationKeys(publishedJWKS: bytes, rsa: configured)
            #expect(published.count == 1)
            for keys in [published, try VerificationKeys([.jwks(bytes, rsa: configured)])] {
                let verifier = try JWTVerifier(
                    keys: keys, configuration: JWTVerifier.Configuration(), wallClock: { testNow })
                for (scheme, signer) in signers {
                    let refusal = await verifier.refusal(of: try signer.token(keyID: "r"))
                    #expect(refusal == (scheme == expected ? nil : .unsupportedAlgorithm), "\(member) \(scheme)")
                }
            }
        }
    }

    @Test func ecdsaFromPEM() async throws {
        let p256 = P256.Signing.PrivateKey()
        let p384 = P384.Signing.PrivateKey()
        let es256 = try TestSigner(p256).token()
        let es384 = try TestSigner(p384).token()

        let verifier256 = try await JWTVerifier.make(.pem(p256.publicKey.pemRepresentation))
        #expect(try await verifier256.verify(es256).user.value == "ada")
        #expect(await verifier256.refusal(of: es384) == .unsupportedAlgorithm)

        let verifier384 = try await JWTVerifier.make(.pem(p384.publicKey.pemRepresentation))
        #expect(try await verifier384.verify(es384).user.value == "ada")
        #expect(await verifier384.refusal(of: es256) == .unsupportedAlgorithm)

        let foreign = try TestSigner(P256.Signing.PrivateKey()).token()
        #expect(await verifier256.refusal(of: foreign) == .badSignature)
    }

    @Test func ed25519FromPEM() async throws {
        let key = Curve25519.Signing.PrivateKey()
        let verifier = try await JWTVerifier.make(.pem(key.publicKey.pemRepresentation))
        let token = try TestSigner(key).token()
        #expect(try await verifier.verify(token).user.value == "ada")
        let otherKey = Curve25519.Signing.PrivateKey()
        let foreign = try TestSigner(otherKey).token()
        #expect(await verifier.refusal(of: foreign) == .badSignature)
    }

    @Test func keysFromAKeySet() async throws {
        let key = Curve25519.Signing.PrivateKey()
        let set = """
            {"keys":[
              {"kty":"RSA","use":"sig","kid":"r","n":"\(TestKeys.modulus)","e":"AQAB","alg":"RS256"},
              \(key.publicJWK(id: "e")),
              {"kty":"oct","kid":"s","alg":"HS256","k":"\(Base64URLText.of(TestKeys.secret))"}
            ]}
            """
        let verifier = try await JWTVerifier.make(.jwks([UInt8](set.utf8)))
        let rsa = try TestKeys.rsa()
        let signers = [
            ("r", TestSigner(rsa: rsa)),
            ("e", TestSigner(key)),
            ("s", TestSigner.hmac(TestKeys.secret)),
        ]
        for (id, signer) in signers {
            #expect(try await verifier.verify(signer.token(keyID: id)).user.value == "ada")
        }
        // The set's `alg` restricts an RSA key.
        let pss = try TestSigner(pss: rsa).token(keyID: "r")
        #expect(await verifier.refusal(of: pss) == .unsupportedAlgorithm)
        // A key named by a token isn't tried for another token.
        let misnamed = try TestSigner.hmac(TestKeys.secret).token(keyID: "e")
        #expect(await verifier.refusal(of: misnamed) == .unsupportedAlgorithm)
    }

    @Test func ellipticKeysFromAKeySet() async throws {
        let p256 = P256.Signing.PrivateKey()
        let p384 = P384.Signing.PrivateKey()
        let set = #"{"keys":[\#(p256.publicKey.jwk(id: "a")),\#(p384.publicKey.jwk(id: "b"))]}"#
        let verifier = try await JWTVerifier.make(.jwks([UInt8](set.utf8)))
        let es256 = TestSigner(p256)
        let es384 = TestSigner(p384)
        #expect(try await verifier.verify(es256.token(keyID: "a")).user.value == "ada")
        #expect(try await verifier.verify(es384.token(keyID: "b")).user.value == "ada")
        #expect(try await verifier.verify(es384.token()).user.value == "ada")
        #expect(await verifier.refusal(of: try es256.token(keyID: "b")) == .unsupportedAlgorithm)
    }
}
