import Crypto
import CryptoExtras
import Testing

@testable import GoHubCore

/// SplitMix64: the same numbers for the same seed, everywhere.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Valid tokens with random damage: none may be accepted, and none may crash the process.
struct JWTHostileCorpusTests {
    private static let fragments: [[UInt8]] = [
        ".", "=", "==", "\0", "\n", " ", "e30", "eyJhbGciOiJub25lIn0", "AAAA", "{}", "é", "%2E", "\"", "..", "_-",
        "9e999",
    ].map { [UInt8]($0.utf8) }

    private static func mutate(_ token: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var bytes = token
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0..<max(bytes.count, 1), using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where place < bytes.count:
                bytes[place] = UInt8.random(in: .min ... .max, using: &random)
            case 1 where place < bytes.count:
                bytes[place] ^= 1 << UInt8.random(in: 0..<7, using: &random)
            case 2:
                bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &random)))
            case 3:
                bytes.insert(contentsOf: fragments.randomElement(using: &random) ?? [], at: min(place, bytes.count))
            case 4:
                bytes = Array(bytes.prefix(place))
            default:
                let other = Int.random(in: 0..<max(bytes.count, 1), using: &random)
                if place < bytes.count, other < bytes.count { bytes.swapAt(place, other) }
            }
        }
        return bytes
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func damagedTokens(seed: UInt64) async throws {
        let elliptic = P256.Signing.PrivateKey()
        let edwards = Curve25519.Signing.PrivateKey()
        let rsa = try TestKeys.rsa()
        let verifier = try await JWTVerifier.make(
            .secret(TestKeys.secret), .pem(elliptic.publicKey.pemRepresentation),
            .pem(edwards.publicKey.pemRepresentation), .pem(TestKeys.rsaPublicPEM))
        let claims = #"{"sub":"ada","exp":1800000600,"name":"Ada","rooms":[{"match":"*","can":["read"]}]}"#
        let tokens = [
            TestSigner.hmac(TestKeys.secret),
            TestSigner(elliptic),
            TestSigner(edwards),
            TestSigner(pss: rsa),
        ]
        var random = SeededGenerator(state: seed)
        for signer in tokens {
            let token = [UInt8](try signer.token(claims, keyID: "k").utf8)
            for round in 0..<500 {
                let damaged = String(decoding: Self.mutate(token, using: &random), as: UTF8.self)
                guard !damaged.utf8.elementsEqual(token) else { continue }
                #expect(await verifier.refusal(of: damaged) != nil, "seed \(seed), round \(round)")
            }
        }
    }

    /// Properly signed nonsense: any claims must give a result.
    @Test(arguments: [5, 6, 7, 8] as [UInt64])
    func damagedClaimsWithAGoodSignature(seed: UInt64) async throws {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let signer = TestSigner.hmac(TestKeys.secret)
        let claims = [UInt8](
            #"{"sub":"a\u00e9","exp":1.8000006e9,"nbf":0,"name":"A\uD83D\uDE00","rooms":[{"match":"*","can":["read"]}]}"#
                .utf8)
        var random = SeededGenerator(state: seed)
        for round in 0..<1000 {
            let damaged = Self.mutate(claims, using: &random)
            let head = "\(Base64URL.encode(#"{"alg":"HS256"}"#.utf8)).\(Base64URL.encode(damaged))"
            let token = try "\(head).\(Base64URL.encode(signer.sign([UInt8](head.utf8))))"
            let credentials: Credentials
            do throws(TokenError) {
                credentials = try await verifier.verify(token)
            } catch {
                #expect(!error.message.isEmpty)
                continue
            }
            // If the damage left the token valid, its identity and grants must still be those of its claims.
            let end = try #require(credentials.expiresAt, "seed \(seed), round \(round)")
            #expect(end > testNow && credentials.name.count <= 64, "seed \(seed), round \(round)")
        }
    }
}
