import Crypto
import CryptoExtras
import Testing

@testable import GoHubCore

/// Forged tokens, with the attacks that have worked against other verifiers.
struct JWTForgeryTests {
    @Test(arguments: ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "ES256K", "HS1", "RS256\\u0000"])
    func onlyKnownAlgorithmNames(name: String) async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let signer = TestSigner.hmac(TestKeys.secret)
        let signed = try signer.token(header: #"{"alg":"\#(name)"}"#)
        #expect(await verifier.refusal(of: signed) == .unsupportedAlgorithm)
        let unsigned = String(signed[...(signed.lastIndex(of: ".") ?? signed.startIndex)])
        #expect(await verifier.refusal(of: unsigned) == .unsupportedAlgorithm)
    }

    @Test func missingSignature() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let token = try TestSigner.hmac(TestKeys.secret).token()
        let unsigned = String(token[...(token.lastIndex(of: ".") ?? token.startIndex)])
        #expect(await verifier.refusal(of: unsigned) == .badSignature)
    }

    /// The public key is not secret: a verifier that used it as an HMAC secret would accept anybody's tokens.
    @Test func publicKeyAsHMACSecret() async throws {
        let key = P256.Signing.PrivateKey()
        for pem in [TestKeys.rsaPublicPEM, key.publicKey.pemRepresentation] {
            let verifier = try await JWTVerifier.make(.pem(pem))
            for secret in [pem, pem + "\n"] {
                let token = try TestSigner.hmac([UInt8](secret.utf8)).token()
                #expect(await verifier.refusal(of: token) == .unsupportedAlgorithm)
            }
        }
    }

    /// RFC 8725, section 3.1: the hub, not the token, decides which of its two algorithms an RSA key is used with,
    /// whatever the token claims.
    @Test(arguments: JWTVerifier.Algorithm.RSAScheme.allCases) func rsaKeyVerifiesOneAlgorithm(
        scheme: JWTVerifier.Algorithm.RSAScheme
    ) async throws {
        let key = try TestKeys.rsa()
        let signers = [
            JWTVerifier.Algorithm.RSAScheme.rs256: TestSigner(rsa: key),
            .ps256: TestSigner(pss: key),
        ]
        let set = #"{"keys":[{"kty":"RSA","n":"\#(TestKeys.modulus)","e":"AQAB"}]}"#
        for source in [
            VerificationKeys.Source.pem(TestKeys.rsaPublicPEM, rsa: scheme), .jwks([UInt8](set.utf8), rsa: scheme),
        ] {
            let verifier = try await JWTVerifier.make(source)
            for (signed, signer) in signers {
                for claimed in JWTVerifier.Algorithm.RSAScheme.allCases {
                    let token = try signer.token(header: #"{"alg":"\#(claimed.rawValue)"}"#)
                    let refusal = await verifier.refusal(of: token)
                    if claimed != scheme {
                        #expect(refusal == .unsupportedAlgorithm)
                    } else {
                        #expect(refusal == (signed == scheme ? nil : .badSignature))
                    }
                }
            }
        }
    }

    /// CVE-2022-21449: r and s of zero were accepted for every message.
    @Test func psychicSignatures() async throws {
        let p256 = P256.Signing.PrivateKey()
        let p384 = P384.Signing.PrivateKey()
        let ed25519 = Curve25519.Signing.PrivateKey()
        let verifier = try await JWTVerifier.make(
            .pem(p256.publicKey.pemRepresentation), .pem(p384.publicKey.pemRepresentation),
            .pem(ed25519.publicKey.pemRepresentation), .pem(TestKeys.rsaPublicPEM),
            .pem(TestKeys.rsaPublicPEM, rsa: .ps256))
        let sizes = [("ES256", 64), ("ES384", 96), ("EdDSA", 64), ("RS256", 256), ("PS256", 256)]
        for (name, size) in sizes {
            for byte in [0x00, 0x01, 0xFF] as [UInt8] {
                let head = Base64URL.encode(#"{"alg":"\#(name)"}"#.utf8)
                let signature = Base64URL.encode([UInt8](repeating: byte, count: size))
                let token = "\(head).\(Base64URL.encode(plainClaims.utf8)).\(signature)"
                #expect(await verifier.refusal(of: token) == .badSignature)
            }
        }
    }

    @Test func cutAndLengthenedSignatures() async throws {
        let secret = try await JWTVerifier.make(.secret(TestKeys.secret))
        let key = P256.Signing.PrivateKey()
        let elliptic = try await JWTVerifier.make(.pem(key.publicKey.pemRepresentation))
        let tokens = [
            (secret, try TestSigner.hmac(TestKeys.secret).token()),
            (elliptic, try TestSigner(key).token()),
        ]
        for (verifier, token) in tokens {
            let dot = try #require(token.lastIndex(of: "."))
            let signature = try #require(Base64URL.decode(token[dot...].dropFirst().utf8))
            for count in 1..<signature.count {
                let cut = token[...dot] + Base64URL.encode(signature.prefix(count))
                #expect(await verifier.refusal(of: String(cut)) == .badSignature)
            }
            for tail in [[0], [0xFF], signature] as [[UInt8]] {
                let longer = token[...dot] + Base64URL.encode(signature + tail)
                #expect(await verifier.refusal(of: String(longer)) == .badSignature)
            }
        }
    }

    /// A token that contains a key is verified with the server's key, and so refused.
    @Test func embeddedKeysAreNotUsed() async throws {
        let own = Curve25519.Signing.PrivateKey()
        let attacker = Curve25519.Signing.PrivateKey()
        let verifier = try await JWTVerifier.make(.pem(own.publicKey.pemRepresentation))
        let ownSigner = TestSigner(own)
        let attackerSigner = TestSigner(attacker)
        let fields = [
            #""jwk":\#(attacker.publicJWK(id: "x"))"#, #""jku":"http://127.0.0.1:1/keys""#,
            #""x5u":"http://127.0.0.1:1/cert""#, #""x5c":["MIIB"]"#,
        ]
        for field in fields {
            let header = #"{"alg":"EdDSA",\#(field)}"#
            #expect(await verifier.refusal(of: try attackerSigner.token(header: header)) == .badSignature)
            // The field alone is harmless: some issuers always send it.
            #expect(await verifier.refusal(of: try ownSigner.token(header: header)) == nil)
        }
    }

    @Test func criticalExtensionsAreRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let signer = TestSigner.hmac(TestKeys.secret)
        for crit in [#"["b64"]"#, #"["exp"]"#, "[]", "null", #""exp""#] {
            let token = try signer.token(header: #"{"alg":"HS256","b64":false,"crit":\#(crit)}"#)
            #expect(await verifier.refusal(of: token) == .malformed)
        }
    }

    @Test func tokensOfOtherTypesAreRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let signer = TestSigner.hmac(TestKeys.secret)
        for type in [#""logout+jwt""#, #""dpop+jwt""#, "1", "null"] {
            let token = try signer.token(header: #"{"alg":"HS256","typ":\#(type)}"#)
            #expect(await verifier.refusal(of: token) == .malformed)
        }
        for type in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
            let token = try signer.token(header: #"{"alg":"HS256","typ":"\#(type)"}"#)
            #expect(await verifier.refusal(of: token) == nil)
        }
    }

    @Test func otherSpellingsOfAValidTokenAreRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        // 32 bytes leave four spare bits in the last character, and the header's `?>` makes a `-` or `_`.
        let token = try TestSigner.hmac(TestKeys.secret).token(header: #"{"alg":"HS256","x":"~~~???>>>"}"#)
        #expect(await verifier.refusal(of: token) == nil)
        let last = try #require(token.utf8.last)
        let stray = String(decoding: token.utf8.dropLast() + [last + 1], as: UTF8.self)
        let plain = token.replacing("-", with: "+").replacing("_", with: "/")
        #expect(plain != token)
        let spellings = [
            token + "=", token + "==", token.replacing(".", with: "=."), token + "\n", " " + token, token + " ",
            token + "\0", token + ".", "." + token, plain, stray, token.replacing(".", with: "%2E"),
            token.replacing(".", with: ".\r\n"), "Bearer " + token,
        ]
        for spelling in spellings {
            #expect(await verifier.refusal(of: spelling) == .malformed, "\(spelling.debugDescription)")
        }
    }

    @Test func malformedTokensAreRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        #expect(await verifier.refusal(of: "") == .missing)
        for text in [".", "..", "...", "a.b.c", "é.é.é", "e30.e30.e30", "W10.W10.AA", "AAAA", "a.b.c.d.e"] {
            #expect(await verifier.refusal(of: text) == .malformed)
        }
    }

    @Test func sizeIsCheckedFirst() async throws {
        let configuration = try JWTVerifier.Configuration(tokenBytesMax: 512)
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret), configuration: configuration)
        let signer = TestSigner.hmac(TestKeys.secret)
        let empty = try signer.token(#"{"sub":"ada","exp":1800000600,"x":""}"#)
        let padding = String(repeating: "x", count: (512 - empty.utf8.count) / 4 * 3)
        let fitting = try signer.token(#"{"sub":"ada","exp":1800000600,"x":"\#(padding)"}"#)
        let tooLong = try signer.token(#"{"sub":"ada","exp":1800000600,"x":"\#(padding)xxxxxx"}"#)
        #expect(fitting.utf8.count <= 512 && tooLong.utf8.count > 512)
        #expect(await verifier.refusal(of: fitting) == nil)
        #expect(await verifier.refusal(of: tooLong) == .malformed)
        #expect(await verifier.refusal(of: String(repeating: "x", count: 1_000_000)) == .malformed)
    }

    @Test func keyIDOnlySelectsKnownKeys() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret, id: "k1"))
        let signer = TestSigner.hmac(TestKeys.secret)
        #expect(await verifier.refusal(of: try signer.token(keyID: "k1")) == nil)
        #expect(await verifier.refusal(of: try signer.token()) == nil)
        for id in ["k2", "", "K1", "../../etc/passwd", "http://127.0.0.1/", "' OR 1=1 --", "k1\\u0000"] {
            #expect(await verifier.refusal(of: try signer.token(keyID: id)) == .unknownKey)
        }
        let long = String(repeating: "k", count: CompactToken.keyIDBytesMax)
        #expect(await verifier.refusal(of: try signer.token(keyID: long)) == .unknownKey)
        #expect(await verifier.refusal(of: try signer.token(keyID: long + "k")) == .malformed)
        #expect(await verifier.refusal(of: try signer.token(header: #"{"alg":"HS256","kid":1}"#)) == .malformed)
    }

    @Test func keyOfOtherIssuerIsNotUsed() async throws {
        let verifier = try await JWTVerifier.make(
            .secret(TestKeys.secret, issuer: "https://a.example"),
            .secret(TestKeys.otherSecret, issuer: "https://b.example"))
        let first = TestSigner.hmac(TestKeys.secret)
        let second = TestSigner.hmac(TestKeys.otherSecret)
        let claims = { (issuer: String) in #"{"sub":"ada","exp":1800000600,"iss":"\#(issuer)"}"# }
        #expect(await verifier.refusal(of: try first.token(claims("https://a.example"))) == nil)
        #expect(await verifier.refusal(of: try second.token(claims("https://b.example"))) == nil)
        #expect(await verifier.refusal(of: try first.token(claims("https://b.example"))) == .wrongIssuer)
        #expect(await verifier.refusal(of: try second.token(claims("https://a.example"))) == .wrongIssuer)
        #expect(await verifier.refusal(of: try first.token()) == .wrongIssuer)
    }

    @Test func repeatedMembersAreRefused() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let signer = TestSigner.hmac(TestKeys.secret)
        let header = try signer.token(header: #"{"alg":"HS256","alg":"none"}"#)
        #expect(await verifier.refusal(of: header) == .malformed)
        let escaped = try signer.token(header: #"{"alg":"HS256","\u0061lg":"HS256"}"#)
        #expect(await verifier.refusal(of: escaped) == .malformed)
        let claims = try signer.token(#"{"sub":"ada","sub":"root","exp":1800000600}"#)
        #expect(await verifier.refusal(of: claims) == .malformed)
    }

    @Test func errorsNeverRepeatTheToken() async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let signer = TestSigner.hmac(TestKeys.otherSecret)
        let token = try signer.token(#"{"sub":"swordfish"}"#, header: #"{"alg":"HS256","kid":"swordfish"}"#)
        for text in [token, "swordfish", "swordfish.swordfish.swordfish"] {
            let error = await #expect(throws: TokenError.self) { try await verifier.verify(text) }
            #expect(error?.message.contains("swordfish") == false)
        }
    }
}
