internal import Crypto
internal import GoHubTestSupport

@testable import GoHubCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

extension FuzzTarget {
    /// Tokens. The first byte decides whether the rest is the token itself, its claims, or its header and its claims
    /// separated by a newline. The last two kinds are signed, so that the checks behind the signature are reached.
    static let token = FuzzTarget("token", bytesMax: 4096) { bytes in
        var input = FuzzInput(bytes)
        let form = input.byte()
        let body = Array(input.rest)
        switch form % 3 {
        case 0: try await check(body.text)
        case 1: try await check(sign(header: Array(#"{"alg":"HS256"}"#.utf8), claims: body), claims: body)
        default:
            let parts = body.sections(separator: 0x0A, max: 2)
            try await check(sign(header: parts[0], claims: parts.last ?? []), claims: parts.last)
        }
    }

    private static let secret = [UInt8]("a secret of the fuzzer's, which is longer than 32 bytes".utf8)

    private static let verifiers = Task {
        let keys = try VerificationKeys([.secret(secret), .secret(secret, id: "k1")])
        let strict = try JWTVerifier.Configuration(issuer: "issuer", audience: "hub", leewaySeconds: 0)
        let lax = try JWTVerifier.Configuration(leewaySeconds: 300, requireExpiry: false)
        return try [strict, lax].map { try JWTVerifier(keys: keys, configuration: $0, wallClock: { now }) }
    }

    private static let now = WallTime.ms(0)

    private static func sign(header: [UInt8], claims: [UInt8]) -> String {
        let signingInput = Base64URL.encode(header) + "." + Base64URL.encode(claims)
        return signingInput + "." + Base64URL.encode(signature(of: signingInput))
    }

    private static func signature(of text: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: secret)))
    }

    /// - Parameter claims: the token's claims, unless the token was given whole.
    private static func check(_ token: String, claims: [UInt8]? = nil) async throws {
        for verifier in try await verifiers.value {
            let credentials: Credentials
            do throws(TokenError) {
                credentials = try await verifier.verify(token)
            } catch {
                try require(!error.message.isEmpty, "a refusal says why")
                try require(claims == nil || error.code != .badSignature, "what was signed well isn't forged")
                continue
            }
            try check(credentials)
            try await checkSignature(token, verifier)
            guard let claims else { continue }
            // No other user may be read from it.
            guard case .object(let members) = FoundationJSON(parsing: claims), case .string(let user) = members["sub"]
            else { throw BrokenPromise(description: "broken: a token's claims are JSON with a user") }
            try require(user.hasSameBytes(as: credentials.user.value), "the user is the one of `sub`")
        }
    }

    private static func check(_ credentials: Credentials) throws {
        try require((1...128).contains(credentials.user.value.utf8.count), "a user id is within its bound")
        try require(credentials.user.value.isPrintable && credentials.name.isPrintable, "names are printable")
        try require(credentials.name.count <= TokenClaims.nameCharactersMax, "a name is within its bound")
        try require(credentials.grants.entries.count <= Grants.entriesMax, "grants are within their bound")
        try require(credentials.expiresAt.map { $0 > now } ?? true, "a token that is over isn't accepted")
    }

    /// An accepted token must be signed, with exactly this signature.
    private static func checkSignature(_ token: String, _ verifier: JWTVerifier) async throws {
        guard let dot = token.lastIndex(of: ".") else {
            throw BrokenPromise(description: "broken: an accepted token has three parts")
        }
        let expected = signature(of: String(token[..<dot]))
        try require(token[dot...] == "." + Base64URL.encode(expected), "an accepted token is signed")
        for damaged in [token + "A", token + "=", String(token.dropLast()), token[..<dot] + ".", " " + token] {
            let other = try? await verifier.verify(String(damaged))
            try require(other == nil, "another spelling isn't accepted")
        }
    }
}
