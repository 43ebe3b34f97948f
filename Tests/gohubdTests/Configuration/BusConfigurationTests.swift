import Testing

@testable import GoHubConfiguration
@testable import GoHubCore
@testable import GoHubRedis
@testable import gohubd

/// The keys of the bus: where they may stand, what they are, and what a wrong one causes.
@Suite struct BusConfigurationTests {
    private static let key = "0123456789abcdef0123456789abcdef"

    private func configuration(
        environment: [String: String] = [:], _ settings: [String: String]
    ) throws -> DaemonConfiguration {
        try .make(
            environment: environment, ["cluster.enabled": "true"].merging(settings) { $1 })
    }

    private func problems(environment: [String: String] = [:], _ settings: [String: String]) throws -> [String] {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try configuration(environment: environment, settings)
        }
        return try #require(error).problems
    }

    // MARK: Right settings

    @Test func thereIsNoBusWithoutItsPlace() throws {
        #expect(try configuration([:]).bus == nil)
        #expect(try DaemonConfiguration.make([:]).bus == nil)
    }

    @Test func busHasAPlaceAndAPrefix() throws {
        let bus = try #require(try configuration(["cluster.redis": "redis://10.0.0.1:7000"]).bus)
        #expect(try bus.location() == RedisLocation("redis://10.0.0.1:7000"))
        #expect(bus.prefix == .standard)
        #expect(try bus.frameKeys().isEmpty)
        let other = try configuration(["cluster.redis": "redis://a", "cluster.prefix": "staging:1"]).bus
        #expect(other?.prefix.value == "staging:1")
    }

    @Test func placeMayComeFromAFile() throws {
        let files = try TemporaryFiles()
        let path = try files.write("redis", "redis+sentinel://hub:hush@a,b:1/main\n")
        let bus = try #require(try configuration(["cluster.redisFile": path]).bus)
        #expect(try bus.location().credentials == RedisCredentials(user: "hub", password: "hush"))
        #expect("\(try bus.location())" == "redis+sentinel://a:26379,b:1/main")
    }

    @Test func keyFileHasTheCurrentKeyAndEarlierOnes() throws {
        let files = try TemporaryFiles()
        let keys = ["a", "b", "c"].map { String(repeating: $0, count: 32) }
        let path = try files.write("key", keys.joined(separator: "\r\n") + "\n")
        let bus = try configuration(["cluster.redis": "redis://a", "cluster.keyFile": path]).bus
        #expect(try bus?.frameKeys().count == 3)
        try bus?.checkFiles()
        let single = try configuration(environment: ["GOHUB_CLUSTER_KEY": Self.key], ["cluster.redis": "redis://a"]).bus
        #expect(try single?.frameKeys().count == 1)
    }

    // MARK: Wrong settings

    @Test func busNeedsAClusterAndTheOtherKeysABus() throws {
        for key in ["cluster.redis", "cluster.redisFile"] {
            #expect(
                try problems(["cluster.enabled": "false", key: "redis://a"]) == [
                    "\(key) is set, but cluster.enabled is not, so this hub has no other nodes. Set cluster.enabled, or "
                        + "remove \(key)."
                ])
        }
        for key in ["cluster.prefix", "cluster.keyFile"] {
            #expect(
                try problems([key: "x"]) == [
                    "\(key) is set, but there is no bus that it is for. Set cluster.redis or cluster.redisFile, or remove "
                        + "\(key)."
                ])
        }
    }

    @Test func nothingMayBeSetTwice() throws {
        #expect(
            try problems(["cluster.redis": "redis://a", "cluster.redisFile": "x"]) == [
                "cluster.redis and cluster.redisFile are both set. Remove one."
            ])
        #expect(
            try problems(
                environment: ["GOHUB_CLUSTER_KEY": Self.key], ["cluster.redis": "redis://a", "cluster.keyFile": "x"])
                == ["cluster.key and cluster.keyFile are both set. Remove one."])
    }

    @Test func wrongPlaceIsExplainedWithoutAPartOfIt() throws {
        #expect(
            try problems(environment: ["GOHUB_CLUSTER_REDIS": "redis://hub:hu@sh@host"], [:]) == [
                "cluster.redis: in user and password, characters other than letters and digits must be percent-encoded, "
                    + "such as @."
            ])
        #expect(
            try problems(["cluster.redis": "redis+sentinel://a"]) == [
                "cluster.redis: after the Sentinels must come / and the name that they have for the primary: letters, "
                    + "digits, ., - and _."
            ])
        let files = try TemporaryFiles()
        let path = try files.write("redis", "redis://hub:hush\n@host")
        let bus = try #require(try configuration(["cluster.redisFile": path]).bus)
        #expect(
            throws: ConfigurationError(
                "cluster.redisFile: the contents of \(path) are invalid: other characters than printable ASCII must be "
                    + "percent-encoded.")
        ) { try bus.location() }
        let missing = try #require(try configuration(["cluster.redisFile": "/nowhere"]).bus)
        #expect(throws: ConfigurationError("cluster.redisFile: /nowhere cannot be read: the file does not exist.")) {
            try missing.location()
        }
    }

    @Test func wrongPrefixNamesAllowedOnes() throws {
        #expect(
            try problems(["cluster.redis": "redis://a", "cluster.prefix": "a.b"]) == [
                "Command line: cluster.prefix must be 1 to 64 ASCII letters, digits, -, _ or :."
            ])
    }

    @Test func shortKeysAreNamedByTheirLine() throws {
        let files = try TemporaryFiles()
        let path = try files.write("key", Self.key + "\nshort\n")
        let bus = try #require(try configuration(["cluster.redis": "redis://a", "cluster.keyFile": path]).bus)
        #expect(
            throws: ConfigurationError(
                "cluster.keyFile: line 2 of \(path) has 5 bytes, but a secret needs at least 32. Make one with `openssl "
                    + "rand -base64 32`.")
        ) { try bus.frameKeys() }
        try files.write("key", Array(repeating: Self.key, count: 5).joined(separator: "\n"))
        #expect(
            throws: ConfigurationError(
                "cluster.keyFile: \(path) has more than 4 lines, each of which is a secret. Remove those that no node uses."
            )
        ) { try bus.frameKeys() }
        #expect(
            try problems(environment: ["GOHUB_CLUSTER_KEY": "short"], ["cluster.redis": "redis://a"]) == [
                "Environment variable GOHUB_CLUSTER_KEY must be a string of at least 32 bytes."
            ])
    }

    @Test func missingFileOfTLSIsNamed() throws {
        let bus = try #require(try configuration(["cluster.redis": "rediss://a?ca=/nowhere.pem"]).bus)
        #expect(throws: ConfigurationError("cluster.redis: /nowhere.pem does not exist.")) { try bus.checkFiles() }
    }

    // MARK: Secrets

    @Test func secretsAreRefusedOnTheCommandLine() throws {
        #expect(
            try problems(["cluster.redis": "redis://hub:hush@host"]) == [
                "Command line: cluster.redis contains a password, and every user of this machine can read command lines. "
                    + "Use cluster.redisFile or the environment variable GOHUB_CLUSTER_REDIS."
            ])
        #expect(
            try problems(["cluster.redis": "redis://host", "cluster.key": Self.key]) == [
                "Command line: cluster.key is a secret, and every user of this machine can read command lines. Use "
                    + "cluster.keyFile or the environment variable GOHUB_CLUSTER_KEY."
            ])
    }

    @Test func secretsAreNeverDisclosed() throws {
        let environment = ["GOHUB_CLUSTER_REDIS": "redis://hub:hush@host", "GOHUB_CLUSTER_KEY": Self.key]
        let values = try ConfigurationValues(
            file: nil, environment: environment, commandLine: [.init(key: "cluster.enabled", value: "true")])
        let configuration = try DaemonConfiguration(values)
        for text in [values.listing(), String(reflecting: configuration), "\(configuration)"] {
            #expect(!text.contains("hush") && !text.contains(Self.key))
        }
        #expect(values.listing().contains("cluster.redis = redis://host:6379    (environment)"))
    }
}
