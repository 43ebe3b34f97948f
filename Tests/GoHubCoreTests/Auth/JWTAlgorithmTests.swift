import GoHubCore
import JWTKit
import Testing

/// Every algorithm there and back, and that a key serves only its own.
struct JWTAlgorithmTests {
    @Test(arguments: [
        (TokenAlgorithm.hs256, DigestAlgorithm.sha256), (.hs384, .sha384), (.hs512, .sha512),
    ])
    func hmac(algorithm: TokenAlgorithm, digest: DigestAlgorithm) async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret, algorithm: algorithm))
        let token = try await TestSigner.hmac(TestKeys.secret, digest).token()
        #expect(try await verifier.verify(token).user.value == "ada")
        let foreign = try await TestSigner.hmac(TestKeys.otherSecret, digest).token()
        #expect(await verifier.refusal(of: foreign) == .badSignature)
    }

    @Test func mismatchedHMACIsRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret, algorithm: .hs512))
        let token = try await TestSigner.hmac(TestKeys.secret).token()
        #expect(await verifier.refusal(of: token) == .unsupportedAlgorithm)
    }

    @Test func rsaFromPEM() async throws {
        let key = try TestKeys.rsa()
        let rs256 = try await TestSigner.make { $0.add(rsa: key, digestAlgorithm: .sha256) }.token()
        let ps256 = try await TestSigner.make { $0.add(pss: key, digestAlgorithm: .sha256) }.token()
        let rs512 = try await TestSigner.make { $0.add(rsa: key, digestAlgorithm: .sha512) }.token()

        let standard = try await JWTVerifier.make(.pem(TestKeys.rsaPublicPEM))
        #expect(try await standard.verify(rs256).user.value == "ada")
        #expect(await standard.refusal(of: ps256) == .unsupportedAlgorithm)
        #expect(await standard.refusal(of: rs512) == .unsupportedAlgorithm)

        for source in [
            KeySource.pem(TestKeys.rsaPublicPEM, algorithm: .ps256), .pem(TestKeys.rsaPublicPEM, rsa: .ps256),
        ] {
            let pss = try await JWTVerifier.make(source)
            #expect(try await pss.verify(ps256).user.value == "ada")
            #expect(await pss.refusal(of: rs256) == .unsupportedAlgorithm)
        }
    }

    /// `alg` decides where a key has it, else the configuration.
    @Test(arguments: RSAScheme.allCases) func rsaFromAKeySet(configured: RSAScheme) async throws {
        let key = try TestKeys.rsa()
        let signers = [
            RSAScheme.rs256: try await TestSigner.make { $0.add(rsa: key, digestAlgorithm: .sha256) },
            .ps256: try await TestSigner.make { $0.add(pss: key, digestAlgorithm: .sha256) },
        ]
        for (member, expected) in [("", configured), (#","alg":"RS256""#, .rs256), (#","alg":"PS256""#, .ps256)] {
            let set = #"{"keys":[{"kty":"RSA","kid":"r","n":"\#(TestKeys.modulus)","e":"AQAB"\#(member)}]}"#
            let bytes = [UInt8](set.utf8)
            let published = try await VerificationKeys(publishedJWKS: bytes, rsa: configured)
            #expect(published.count == 1)
            for keys in [published, try await VerificationKeys([.jwks(bytes, rsa: configured)])] {
                let verifier = try JWTVerifier(keys: keys, configuration: JWTConfiguration(), wallClock: { testNow })
                for (scheme, signer) in signers {
                    let refusal = await verifier.refusal(of: try signer.token(keyID: "r"))
                    #expect(refusal == (scheme == expected ? nil : .unsupportedAlgorithm), "\(member) \(scheme)")
                }
            }
        }
    }

    @Test func ecdsaFromPEM() async throws {
        let p256 = ES256PrivateKey()
        let p384 = ES384PrivateKey()
        let es256 = try await TestSigner.make { $0.add(ecdsa: p256) }.token()
        let es384 = try await TestSigner.make { $0.add(ecdsa: p384) }.token()

        let verifier256 = try await JWTVerifier.make(.pem(p256.publicKey.pemRepresentation))
        #expect(try await verifier256.verify(es256).user.value == "ada")
        #expect(await verifier256.refusal(of: es384) == .unsupportedAlgorithm)

        let verifier384 = try await JWTVerifier.make(.pem(p384.publicKey.pemRepresentation))
        #expect(try await verifier384.verify(es384).user.value == "ada")
        #expect(await verifier384.refusal(of: es256) == .unsupportedAlgorithm)

        let foreign = try await TestSigner.make { $0.add(ecdsa: ES256PrivateKey()) }.token()
        #expect(await verifier256.refusal(of: foreign) == .badSignature)
    }

    @Test func ed25519FromPEM() async throws {
        let key = try EdDSA.PrivateKey()
        let verifier = try await JWTVerifier.make(.pem(key.publicKey.pemRepresentation))
        let token = try await TestSigner.make { $0.add(eddsa: key) }.token()
        #expect(try await verifier.verify(token).user.value == "ada")
        let otherKey = try EdDSA.PrivateKey()
        let foreign = try await TestSigner.make { $0.add(eddsa: otherKey) }.token()
        #expect(await verifier.refusal(of: foreign) == .badSignature)
    }

    @Test func keysFromAKeySet() async throws {
        let key = try EdDSA.PrivateKey()
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
            ("r", try await TestSigner.make { $0.add(rsa: rsa, digestAlgorithm: .sha256) }),
            ("e", try await TestSigner.make { $0.add(eddsa: key) }),
            ("s", try await TestSigner.hmac(TestKeys.secret)),
        ]
        for (id, signer) in signers {
            #expect(try await verifier.verify(signer.token(keyID: id)).user.value == "ada")
        }
        // The `alg` of the set narrows what an RSA key may do.
        let pss = try await TestSigner.make { $0.add(pss: rsa, digestAlgorithm: .sha256) }.token(keyID: "r")
        #expect(await verifier.refusal(of: pss) == .unsupportedAlgorithm)
        // A key named by one token isn't tried for another.
        let misnamed = try await TestSigner.hmac(TestKeys.secret).token(keyID: "e")
        #expect(await verifier.refusal(of: misnamed) == .unsupportedAlgorithm)
    }

    @Test func ellipticKeysFromAKeySet() async throws {
        let p256 = ES256PrivateKey()
        let p384 = ES384PrivateKey()
        let set = try #"{"keys":[\#(p256.publicKey.jwk(id: "a")),\#(p384.publicKey.jwk(id: "b"))]}"#
        let verifier = try await JWTVerifier.make(.jwks([UInt8](set.utf8)))
        let es256 = try await TestSigner.make { $0.add(ecdsa: p256) }
        let es384 = try await TestSigner.make { $0.add(ecdsa: p384) }
        #expect(try await verifier.verify(es256.token(keyID: "a")).user.value == "ada")
        #expect(try await verifier.verify(es384.token(keyID: "b")).user.value == "ada")
        #expect(try await verifier.verify(es384.token()).user.value == "ada")
        #expect(await verifier.refusal(of: try es256.token(keyID: "b")) == .unsupportedAlgorithm)
    }
}
