import GoHubCore
import Testing

@testable import gohubd

@Suite struct TokenKeysTests {
    private static let now = WallTime.now()

    private func token(secret: String) async throws -> String {
        let minter = try await TokenMinter(secret: Array(secret.utf8))
        let user = try #require(UserID("alice"))
        return try minter.mint(user: user, expiresAt: WallTime(milliseconds: Self.now.milliseconds + 3_600_000))
    }

    @Test func keysAreReadAgainAndABadFileLeavesTheOld() async throws {
        let files = try TemporaryFiles()
        let first = "first-0123456789abcdef0123456789abcdef"
        let second = "second-0123456789abcdef0123456789abcdef"
        let path = try files.write("secret", first + "\n")
        let configuration = try DaemonConfiguration.make(["auth.secretFile": path])
        let verifier = try await ReloadingVerifier(configuration.auth, cache: nil)
        let (firstToken, secondToken) = (try await token(secret: first), try await token(secret: second))
        #expect(try await verifier.verify(firstToken).user.value == "alice")
        try files.write("secret", second)
        try await verifier.reload()
        #expect(try await verifier.verify(secondToken).user.value == "alice")
        await #expect(throws: TokenError.self) { _ = try await verifier.verify(firstToken) }
        try files.write("secret", "short")
        await #expect(throws: ConfigurationError.self) { try await verifier.reload() }
        #expect(try await verifier.verify(secondToken).user.value == "alice")
    }

    @Test(arguments: [
        ("auth.publicKeys", "not a key"), ("auth.jwksFile", "{}"), ("auth.secretFile", "too short"),
        ("auth.jwksFile", #"{"keys": []}"#),
    ])
    func aBadKeyIsNamedByItsSetting(key: String, contents: String) async throws {
        let files = try TemporaryFiles()
        let path = try files.write("key", contents)
        let configuration = try DaemonConfiguration.make([key: path])
        let error = await #expect(throws: ConfigurationError.self) { try await Assembly.check(configuration) }
        let message = try #require(error).description
        #expect(message.hasPrefix(key) && message.contains(path))
        #expect(!message.contains(contents))
    }

    @Test(arguments: ["auth.publicKeys", "auth.jwksFile", "auth.secretFile", "api.keyFile"])
    func aMissingFileIsNamedByItsSetting(key: String) async throws {
        let configuration = try DaemonConfiguration.make([key: "/nowhere/key"])
        await #expect(
            throws: ConfigurationError("\(key): /nowhere/key can't be read: there is no such file.")
        ) { try await Assembly.check(configuration) }
    }

    @Test func aMissingCertificateIsNamed() async throws {
        let configuration = try DaemonConfiguration.make([
            "tls.certificate": "/nowhere/a.pem", "tls.key": "/nowhere/b.pem",
        ])
        let error = await #expect(throws: ConfigurationError.self) { try await Assembly.check(configuration) }
        let message = try #require(error).description
        #expect(message.hasPrefix("tls: ") && message.contains("/nowhere/"))
    }
}
