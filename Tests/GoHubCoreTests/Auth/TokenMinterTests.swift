import GoHubCore
import Testing

struct TokenMinterTests {
    private let inAnHour = WallTime(milliseconds: testNow.milliseconds + 3_600_000)

    @Test func mintedTokensVerify() async throws {
        let minter = try TokenMinter(
            secret: TestKeys.secret, keyID: "dev", issuer: "https://id.example", audience: "gohub")
        let configuration = try JWTVerifier.Configuration(
            issuer: "https://id.example", audience: "gohub", leewaySeconds: 0)
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret, id: "dev"), configuration: configuration)
        let user = try #require(UserID(#"quote " slash \ ünï 😀"#))
        let tenant = try #require(TenantID("acme"))
        let grants = Grants([
            .init(match: try #require(Grants.Pattern("team-*")), can: .all),
            .init(match: try #require(Grants.Pattern("lobby")), can: .read),
            .init(match: try #require(Grants.Pattern("*")), can: []),
        ])
        let token = minter.mint(
            user: user, tenant: tenant, name: "Ada </script>", grants: grants, expiresAt: inAnHour)
        let expected = Credentials(
            tenant: tenant, user: user, name: "Ada </script>", grants: grants, expiresAt: inAnHour)
        #expect(try await verifier.verify(token) == expected)
    }

    @Test func minimalTokenIsMinted() async throws {
        let minter = try TokenMinter(secret: TestKeys.secret)
        let verifier = try await JWTVerifier.make(.secret(TestKeys.secret))
        let user = try #require(UserID("ada"))
        let credentials = try await verifier.verify(minter.mint(user: user, expiresAt: inAnHour))
        #expect(credentials.grants == .participant)
        #expect(await verifier.refusal(of: minter.mint(user: user, expiresAt: testNow)) == nil)
        #expect(await verifier.refusal(of: minter.mint(user: user, expiresAt: nil)) == .invalidClaim)
    }

    @Test func shortSecretsAreRefused() async {
        #expect(throws: JWTVerifier.ConfigurationError.self) {
            try TokenMinter(secret: [UInt8](repeating: 1, count: 31))
        }
    }
}
