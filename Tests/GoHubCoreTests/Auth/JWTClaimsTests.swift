import Crypto
import Testing

@testable import GoHubCore

/// The claims that a valid token needs, and what they allow.
struct JWTClaimsTests {
    /// Verifies claims, given without `sub` and `exp`, under a configuration.
    private func verify(_ claims: String, _ configuration: JWTVerifier.Configuration? = nil) async throws -> Credentials
    {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret), configuration: configuration)
        return try await verifier.verify(try TestSigner.hmac(TestKeys.secret).token(claims))
    }

    private func refusal(_ claims: String, _ configuration: JWTVerifier.Configuration? = nil) async throws -> TokenError
        .Code?
    {
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret), configuration: configuration)
        return await verifier.refusal(of: try TestSigner.hmac(TestKeys.secret).token(claims))
    }

    private func with(_ more: String) -> String {
        #"{"sub":"ada","exp":1800000600,\#(more)}"#
    }

    @Test func minimalClaimsAreAccepted() async throws {
        let credentials = try await verify(plainClaims)
        #expect(credentials.tenant == .standard)
        #expect(credentials.user == UserID("ada"))
        #expect(credentials.name == "ada")
        #expect(credentials.grants == .participant)
        #expect(credentials.expiresAt == WallTime(milliseconds: 1_800_000_630_000))
    }

    // MARK: Times

    @Test func expiryWithLeeway() async throws {
        let configuration = try JWTVerifier.Configuration(leewaySeconds: 30)
        let at = { (seconds: String) in #"{"sub":"ada","exp":\#(seconds)}"# }
        #expect(try await refusal(at("\(testNowSeconds - 29)"), configuration) == nil)
        #expect(try await refusal(at("\(testNowSeconds - 30)"), configuration) == .expired)
        #expect(try await refusal(at("\(testNowSeconds - 29).999"), configuration) == nil)
        let strict = try JWTVerifier.Configuration(leewaySeconds: 0)
        #expect(try await refusal(at("\(testNowSeconds)"), strict) == .expired)
        #expect(try await refusal(at("\(testNowSeconds + 1)"), strict) == nil)
        #expect(try await refusal(at("\(testNowSeconds).001"), strict) == nil)
        #expect(try await refusal(at("1.800000001e9"), strict) == nil)
    }

    @Test func acceptedTokensExpireLater() async throws {
        let credentials = try await verify(#"{"sub":"ada","exp":\#(testNowSeconds - 29)}"#)
        #expect(try #require(credentials.expiresAt) > testNow)
    }

    @Test func notBeforeWithLeeway() async throws {
        let strict = try JWTVerifier.Configuration(leewaySeconds: 0)
        #expect(try await refusal(with(#""nbf":\#(testNowSeconds)"#), strict) == nil)
        #expect(try await refusal(with(#""nbf":\#(testNowSeconds + 1)"#), strict) == .notYetValid)
        let lenient = try JWTVerifier.Configuration(leewaySeconds: 30)
        #expect(try await refusal(with(#""nbf":\#(testNowSeconds + 30)"#), lenient) == nil)
        #expect(try await refusal(with(#""nbf":\#(testNowSeconds + 31)"#), lenient) == .notYetValid)
    }

    @Test func missingExpiry() async throws {
        #expect(try await refusal(#"{"sub":"ada"}"#) == .invalidClaim)
        let lenient = try JWTVerifier.Configuration(requireExpiry: false)
        #expect(try await verify(#"{"sub":"ada"}"#, lenient).expiresAt == nil)
        #expect(try await refusal(#"{"sub":"ada","exp":1}"#, lenient) == .expired)
    }

    @Test(arguments: [
        "-1", "1e300", "1e18", "9223372036854775807", "99999999999999999999999999", "253402300800", #""1800000600""#,
        "null", "true", "[1800000600]",
    ])
    func absurdDates(date: String) async throws {
        #expect(try await refusal(#"{"sub":"ada","exp":\#(date)}"#) == .invalidClaim)
        #expect(try await refusal(with(#""nbf":\#(date)"#)) == .invalidClaim)
    }

    @Test(arguments: ["1e999", "-1e999", "NaN", "Infinity", "0x10", "+1", "01", "1.", ".5", "1e"])
    func invalidNumbersAreRefused(number: String) async throws {
        #expect(try await refusal(#"{"sub":"ada","exp":\#(number)}"#) == .malformed)
    }

    // MARK: Issuer and audience

    @Test func issuer() async throws {
        let configuration = try JWTVerifier.Configuration(issuer: "https://id.example")
        #expect(try await refusal(with(#""iss":"https://id.example""#), configuration) == nil)
        #expect(try await refusal(plainClaims, configuration) == .wrongIssuer)
        for issuer in [#""https://id.example/""#, #""HTTPS://ID.EXAMPLE""#, #"["https://id.example"]"#, "1", "null"] {
            #expect(try await refusal(with(#""iss":\#(issuer)"#), configuration) == .wrongIssuer)
        }
    }

    @Test func audience() async throws {
        let configuration = try JWTVerifier.Configuration(audience: "gohub")
        for audience in [#""gohub""#, #"["gohub"]"#, #"["other","gohub"]"#] {
            #expect(try await refusal(with(#""aud":\#(audience)"#), configuration) == nil)
        }
        for audience in [#""other""#, #"["other"]"#, "[]", #"[["gohub"]]"#, #"{"gohub":1}"#, "null", #""gohub2""#] {
            #expect(try await refusal(with(#""aud":\#(audience)"#), configuration) == .wrongAudience)
        }
        #expect(try await refusal(plainClaims, configuration) == .wrongAudience)
        #expect(try await refusal(with(#""aud":"other""#)) == nil)
    }

    // MARK: Identity

    @Test func subjects() async throws {
        let id = String(repeating: "u", count: 128)
        let credentials = try await verify(#"{"sub":"\#(id)","exp":1800000600}"#)
        #expect(credentials.user == UserID(id))
        #expect(credentials.name == String(repeating: "u", count: 64))
        for subject in [#""""#, #""\#(id)u""#, #""a\nb""#, #""a\u0000b""#, #""a\u202Eb""#, "1", "null", "{}"] {
            #expect(try await refusal(#"{"sub":\#(subject),"exp":1800000600}"#) == .invalidClaim)
        }
        #expect(try await refusal(#"{"exp":1800000600}"#) == .invalidClaim)
    }

    @Test func tenants() async throws {
        #expect(try await verify(with(#""tenant":"acme-1""#)).tenant == TenantID("acme-1"))
        for tenant in [#""""#, #""Acme""#, #""a/b""#, #""..""#, "1", "null"] {
            #expect(try await refusal(with(#""tenant":\#(tenant)"#)) == .invalidClaim)
        }
    }

    @Test func names() async throws {
        #expect(try await verify(with(#""name":"  Ada Lovelace\t""#)).name == "Ada Lovelace")
        #expect(try await verify(with(#""name":"\u0041\uD83D\uDE00é""#)).name == "A😀é")
        #expect(try await verify(with(#""name":"   ""#)).name == "ada")
        let longest = String(repeating: "é", count: 64)
        #expect(try await verify(with(#""name":"\#(longest)""#)).name == longest)
        let stacked = "a" + String(repeating: "\u{301}", count: 200)
        for name in [#""\#(longest)é""#, #""a\nb""#, #""a\u0007""#, #""a\u202Eb""#, #""\#(stacked)""#, "1", "null"] {
            #expect(try await refusal(with(#""name":\#(name)"#)) == .invalidClaim)
        }
    }

    // MARK: Grants

    @Test func grants() async throws {
        let rooms = """
            "rooms":[{"match":"lobby","can":["read"]},{"match":"team-*","can":["write","read"]},\
            {"can":["moderate"],"match":"team-1"},{"match":"silent","can":[]}]
            """
        let credentials = try await verify(with(rooms))
        let expected: [(String, Permissions)] = [
            ("lobby", .read), ("team-2", [.read, .write]), ("team-1", .all), ("silent", []), ("other", []),
        ]
        for (name, permissions) in expected {
            let room = try #require(RoomName(name))
            #expect(credentials.grants.permissions(of: credentials.user, in: room) == permissions)
        }
    }

    @Test func missingClaimUsesServerDefault() async throws {
        let configuration = try JWTVerifier.Configuration(defaultGrants: .moderator)
        #expect(try await verify(plainClaims, configuration).grants == .moderator)
        #expect(try await verify(with(#""rooms":[]"#), configuration).grants == Grants([]))
    }

    @Test(arguments: [
        "null", "{}", #""*""#, "[null]", #"["*"]"#, "[{}]", #"[{"match":"*"}]"#, #"[{"can":["read"]}]"#,
        #"[{"match":"*","can":"read"}]"#, #"[{"match":"*","can":["admin"]}]"#, #"[{"match":"*","can":["Read"]}]"#,
        #"[{"match":"*","can":[1]}]"#, #"[{"match":"a*b","can":["read"]}]"#, #"[{"match":"","can":["read"]}]"#,
        #"[{"match":"dm:a:b","can":["read"]}]"#, #"[{"match":"A","can":["read"]}]"#,
        #"[{"match":"*","can":["read"],"except":["secret"]}]"#,
    ])
    func malformedGrants(rooms: String) async throws {
        #expect(try await refusal(with(#""rooms":\#(rooms)"#)) == .invalidClaim)
    }

    @Test func atMost64Grants() async throws {
        let grant = #"{"match":"a","can":["read"]}"#
        let most = Array(repeating: grant, count: 64).joined(separator: ",")
        #expect(try await verify(with(#""rooms":[\#(most)]"#)).grants.entries.count == 64)
        #expect(try await refusal(with(#""rooms":[\#(most),\#(grant)]"#)) == .invalidClaim)
    }

    @Test func nestingIsBounded() async throws {
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(try await refusal(with(#""x":\#(nested(TokenJSON.depthMax - 1))"#)) == nil)
        #expect(try await refusal(with(#""x":\#(nested(TokenJSON.depthMax))"#)) == .malformed)
        #expect(try await refusal(with(#""x":\#(nested(2900))"#)) == .malformed)
    }

    @Test(arguments: ["", "null", "[]", "1", #""sub""#, "{", #"{"sub":"ada","exp":1800000600}x"#, "\u{FEFF}{}"])
    func claimsMustBeOneObject(claims: String) async throws {
        #expect(try await refusal(claims) == .malformed)
    }

    // MARK: Configuration

    @Test func configurationBounds() async throws {
        for leeway in [-1, 301, Int.max] {
            #expect(throws: JWTVerifier.ConfigurationError.self) {
                try JWTVerifier.Configuration(leewaySeconds: leeway)
            }
        }
        for size in [0, 255, 65_537, Int.max] {
            #expect(throws: JWTVerifier.ConfigurationError.self) { try JWTVerifier.Configuration(tokenBytesMax: size) }
        }
        #expect(throws: JWTVerifier.ConfigurationError.self) {
            try JWTVerifier(configuration: JWTVerifier.Configuration())
        }
    }
}
