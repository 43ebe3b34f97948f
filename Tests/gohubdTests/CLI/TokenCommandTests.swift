import ArgumentParser
import GoHubCore
import Testing

@testable import GoHubConfiguration
@testable import gohubd

@Suite struct TokenCommandTests {
    private static let environment = ["GOHUB_AUTH_SECRET": "hush-0123456789abcdef0123456789abcdef"]
    private static let now = WallTime(milliseconds: 1_700_000_000_000)

    /// The token that the command prints, and its verification by a hub with the same configuration.
    private func credentials(
        _ arguments: [String], settings: [String: String] = [:], at time: WallTime = now
    ) async throws -> Credentials {
        let values = try ConfigurationValues.make(environment: Self.environment, settings)
        let token = try await TokenCommand.parse(arguments).mint(values, now: Self.now)
        let configuration = try DaemonConfiguration(values).auth
        let verifier = try JWTVerifier(
            keys: try await configuration.readKeys(), configuration: configuration.token, wallClock: { time })
        return try await verifier.verify(token)
    }

    @Test func printedTokenIsAccepted() async throws {
        let credentials = try await credentials([
            "--subject", "alice", "--tenant", "acme", "--name", "Alice A.", "--room", "lobby",
            "--room", "team-*:read,moderate", "--ttl", "30m",
        ])
        #expect(credentials.user.value == "alice")
        #expect(credentials.tenant.value == "acme")
        #expect(credentials.name == "Alice A.")
        func can(_ room: String) throws -> Permissions {
            credentials.grants.permissions(of: credentials.user, in: try #require(RoomName(room)))
        }
        #expect(try can("lobby") == [.read, .write])
        #expect(try can("team-7") == [.read, .moderate])
        #expect(try can("elsewhere") == [])
    }

    @Test func omittedOptionsUseHubDefaults() async throws {
        let one = try await credentials(["--subject", "alice"])
        #expect(one.tenant == .standard)
        #expect(one.name == "alice")
        #expect(one.grants == .participant)
        let none = try await credentials(["--subject", "alice"], settings: ["auth.defaultGrants": "none"])
        #expect(none.grants == Grants([]))
    }

    @Test func tokenExpiresAfterTTL() async throws {
        let arguments = ["--subject", "alice", "--ttl", "60s"]
        let before = WallTime(milliseconds: Self.now.milliseconds + 59_000)
        _ = try await credentials(arguments, settings: ["auth.leewaySeconds": "0"], at: before)
        let after = WallTime(milliseconds: Self.now.milliseconds + 61_000)
        let error = await #expect(throws: TokenError.self) {
            _ = try await credentials(arguments, settings: ["auth.leewaySeconds": "0"], at: after)
        }
        #expect(error?.code == .expired)
    }

    @Test func issuerAndAudienceAreThoseOfTheConfiguration() async throws {
        let settings = ["auth.issuer": "https://issuer.example.com", "auth.audience": "gohub"]
        #expect(try await credentials(["--subject", "alice"], settings: settings).user.value == "alice")
    }

    @Test(arguments: [
        (["--subject", ""], "--subject must have"), (["--subject", "a", "--tenant", "A"], "--tenant must be"),
        (["--subject", "a", "--ttl", "soon"], "--ttl must be"), (["--subject", "a", "--ttl", "0"], "--ttl must be"),
        (["--subject", "a", "--ttl", "99999999999999999999d"], "--ttl must be"),
        (["--subject", "a", "--ttl", "4000d"], "--ttl must be"), (["--subject", "a", "--ttl", ""], "--ttl must be"),
        (["--subject", "a", "--room", "A*b"], "--room 'A*b' names no room"),
        (["--subject", "a", "--room", "a:fly"], "--room accepts read, write and moderate"),
        (["--subject", "a", "--room", "a:"], "grants nothing"),
    ])
    func wrongArgumentsAreExplained(arguments: [String], message: String) async throws {
        let error = await #expect(throws: ValidationError.self) { _ = try await credentials(arguments) }
        #expect(try #require(error).message.contains(message))
    }

    @Test(arguments: [("45s", 45), ("45", 45), ("30m", 1_800), ("8h", 28_800), ("7d", 604_800)])
    func timesHaveUnits(text: String, seconds: Int) throws {
        #expect(try TokenCommand.seconds(text) == seconds)
    }

    @Test func missingSecretIsAnError() async throws {
        let command = try TokenCommand.parse(["--subject", "alice"])
        let error = await #expect(throws: ConfigurationError.self) {
            _ = try await command.mint(.make(), now: Self.now)
        }
        #expect(try #require(error).description.hasPrefix("There is no secret to sign with. Set auth.secretFile"))
    }

    @Test func onlyHS256IsSigned() async throws {
        let command = try TokenCommand.parse(["--subject", "alice"])
        let values = try ConfigurationValues.make(environment: Self.environment, ["auth.algorithm": "HS512"])
        await #expect(
            throws: ConfigurationError("auth.algorithm is HS512, but `gohubd token` supports only HS256.")
        ) { _ = try await command.mint(values, now: Self.now) }
    }
}
