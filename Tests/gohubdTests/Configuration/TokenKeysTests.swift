import Testing

@testable import GoHubCore
@testable import GoHubConfiguration
@testable import gohubd

@Suite struct TokenKeysTests {
    private static let now = WallTime.now()

    private func token(secret: String) async throws -> String {
        let minter = try TokenMinter(secret: Array(secret.utf8))
        let user = try #require(UserID("alice"))
        return minter.mint(user: user, expiresAt: WallTime(milliseconds: Self.now.milliseconds + 3_600_000))
    }

    @Test func keysReloadAndInvalidFileKeepsOldOnes() async throws {
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
    func invalidKeyNamesItsSetting(key: String, contents: String) async throws {
        let files = try TemporaryFiles()
        let path = try files.write("key", contents)
        let configuration = try DaemonConfiguration.make([key: path])
        let error = await #expect(throws: ConfigurationError.self) { try await Assembly.check(configuration) }
        let message = try #require(error).description
        #expect(message.hasPrefix(key) && message.contains(path))
        #expect(!message.contains(contents))
    }

    /// Made for this test, and used nowhere else.
    private static let rsaPublicPEM = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAk5AqzWxjaj49CZ3I6Qy6
        to5V0dDAk5AsdmjeC2892JLgHTAb1OiChZFRFj6MiVuFkyhpgJt7GF3uYZnLLhdo
        h66CaivaGDQoeFAwSu2aRDri+vADvYPjL/MlPYGzClePzWLiiX+jCfBzR+ObmJt4
        hwNc1wbYtrYoYP3INpmQzKbTQ86KkRQ30FQV4gzHavkG+N/Yw9xOpIuXd52XdyKR
        sooTUbIRZm53AmWXJ1TnCGMOkSEGDyVZgufOw5gCCD9m4RRlKTv3AhzZoYR1jTAC
        i1bHO9SWvB6q+FjZkQVHffmmhBAdQy4ZxOYzPBSdw4V+I0eH58ZGls1lo1/Ulst9
        EwIDAQAB
        -----END PUBLIC KEY-----
        """

    @Test(arguments: [(nil, JWTVerifier.Algorithm.rs256), ("RS256", .rs256), ("PS256", .ps256)])
    func anRSAKeyThatNamesNoAlgorithmHasTheConfiguredOne(setting: String?, algorithm: JWTVerifier.Algorithm)
        async throws
    {
        let files = try TemporaryFiles()
        var settings = ["auth.publicKeys": try files.write("key.pem", Self.rsaPublicPEM)]
        settings["auth.jwksURL"] = "https://issuer.example.com/keys"
        settings["auth.rsaAlgorithm"] = setting
        let auth = try DaemonConfiguration.make(settings).auth
        #expect(try await auth.readKeys().keys.map(\.algorithm) == [algorithm])
        #expect(auth.jwks?.settings.rsa.rawValue == algorithm.rawValue)
    }

    @Test(arguments: ["auth.publicKeys", "auth.jwksFile", "auth.secretFile", "api.keyFile"])
    func missingFileNamesItsSetting(key: String) async throws {
        let configuration = try DaemonConfiguration.make([key: "/nowhere/key"])
        await #expect(
            throws: ConfigurationError("\(key): /nowhere/key cannot be read: the file does not exist.")
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
