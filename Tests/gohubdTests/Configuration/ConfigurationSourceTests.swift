import ArgumentParser
import Configuration
import GoHubCore
import GoHubHTTP
import GoHubWire
import Logging
import Testing

@testable import GoHubConfiguration
@testable import gohubd

extension ConfigurationValues {
    /// As the commands make it, from any combination of sources.
    static func make(
        file: String? = nil, environment: [String: String] = [:], _ settings: [String: String] = [:]
    ) throws -> ConfigurationValues {
        try ConfigurationValues(
            file: file, environment: environment,
            commandLine: settings.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: $0.value) })
    }
}

extension DaemonConfiguration {
    static func make(
        file: String? = nil, environment: [String: String] = [:], _ settings: [String: String] = [:]
    ) throws -> DaemonConfiguration {
        try DaemonConfiguration(.make(file: file, environment: environment, settings))
    }
}

@Suite struct ConfigurationSourceTests {
    @Test func defaultsAreThoseOfTheLibraries() throws {
        let configuration = try DaemonConfiguration.make()
        #expect(configuration.limits == Limits())
        #expect(configuration.rates == RateLimiter.Rates())
        #expect(configuration.files.downloads.max == DownloadSlots.Bounds().max)
        #expect(configuration.files.downloads.perUserMax == DownloadSlots.Bounds().perUserMax)
        #expect(configuration.files.downloads.perAddressMax == DownloadSlots.Bounds().perAddressMax)
        #expect(configuration.listen.description == "127.0.0.1:8080")
        #expect(configuration.isDevelopment)
        #expect(configuration.tls == nil)
    }

    @Test func aFileMayNestSectionsOrWriteThePath() throws {
        let files = try TemporaryFiles()
        let path = try files.write(
            "gohub.json",
            """
            {
                // Comments and trailing commas are welcome.
                "listen": "127.0.0.1:9000",
                "limits": {"textBytesMax": 4096, "heartbeatMs": 5000},
                "log.level": "debug",
                "origins": ["https://chat.example.com", "same-origin"],
                "deflate": true,
            }
            """)
        let configuration = try DaemonConfiguration.make(file: path)
        #expect(configuration.listen.port == 9000)
        #expect(configuration.limits.textBytesMax == 4096)
        #expect(configuration.limits.heartbeat == 5000)
        #expect(configuration.log.level == .debug)
        #expect(configuration.deflate)
        #expect(configuration.origins.allows(origin: "https://chat.example.com", host: "hub", isTLS: true))
        #expect(!configuration.origins.allows(origin: "https://evil.example.com", host: "hub", isTLS: true))
    }

    @Test func theEnvironmentHasAVariableForEachKey() throws {
        let values = try ConfigurationValues.make(environment: [
            "GOHUB_LIMITS_TEXT_BYTES_MAX": "4096", "GOHUB_ORIGINS": "https://a.example.com, https://b.example.com",
            "GOHUB_AUTH_JWKS_URL": "https://issuer.example.com/keys", "GOHUB_DEFLATE": "yes", "PATH": "/bin",
            "GOHUB_CONFIG": "not read here",
        ])
        #expect(values.integer(.named("limits.textBytesMax")!) == 4096)
        #expect(values.list(.origins) == ["https://a.example.com", "https://b.example.com"])
        #expect(values.text(.authJWKSURL) == "https://issuer.example.com/keys")
        #expect(values.flag(.deflate))
    }

    @Test func ourNamesOfVariablesAreThoseThatTheLibraryReads() throws {
        for key in ConfigurationKey.all {
            let provider = EnvironmentVariablesProvider(environmentVariables: [key.variableName: "x"])
            let found = try provider.value(forKey: AbsoluteConfigKey(key.path), type: .string)
            #expect(found.value != nil, "\(key.name) is \(key.variableName)")
        }
        #expect(Set(ConfigurationKey.all.map(\.environmentName)).count == ConfigurationKey.all.count)
    }

    @Test func sourcesHavePrecedence() throws {
        let files = try TemporaryFiles()
        let path = try files.write("gohub.json", #"{"node": "file", "loops": 2, "log": {"level": "error"}}"#)
        let environment = ["GOHUB_NODE": "environment", "GOHUB_LOOPS": "3"]
        let values = try ConfigurationValues.make(file: path, environment: environment, ["node": "flag"])
        #expect(values.text(.node) == "flag")
        #expect(values.integer(.loops) == 3)
        #expect(values.text(.logLevel) == "error")
        #expect(values.text(.logFormat) == "text")
        #expect(values.origin(of: .node) == "command line")
        #expect(values.origin(of: .loops) == "environment")
        #expect(values.origin(of: .logLevel) == path)
        #expect(values.origin(of: .logFormat) == nil)
    }

    @Test func theFlagsOfACommandAreSettings() throws {
        let files = try TemporaryFiles()
        let path = try files.write("gohub.json", #"{"node": "file"}"#)
        let options = try ConfigurationOptions.parse([
            "--listen", "127.0.0.1:1", "--store", "memory", "--log-level", "trace", "--set", "deflate=true",
            "--set", "origins=https://a.example.com,null",
        ])
        let values = try options.values(environment: ["GOHUB_CONFIG": path])
        #expect(values.text(.listen) == "127.0.0.1:1")
        #expect(values.text(.logLevel) == "trace")
        #expect(values.flag(.deflate))
        #expect(values.list(.origins) == ["https://a.example.com", "null"])
        #expect(values.text(.node) == "file")
    }

    @Test func everyLimitAndRateReachesItsPlace() throws {
        var limits = Limits()
        for limit in LimitKey.all {
            let before = limits
            limit.apply(12_345, &limits)
            #expect(limits != before, "\(limit.key.name)")
        }
        let configuration = try DaemonConfiguration.make(
            [:].merging(["rates.connectionPerSecond": "7", "rates.connectionBurst": "9", "rates.roomPerSecond": "0"]) {
                $1
            })
        #expect(configuration.rates.connection == .perSecond(7, burst: 9))
        #expect(configuration.rates.room == nil)
        #expect(configuration.rates.user == RateLimiter.Rates().user)
    }

    @Test func defaultsAreValuesThatTheirKeysAllow() {
        for key in ConfigurationKey.all {
            if let value = key.defaultValue { #expect(key.isAllowed(value), "\(key.name)") }
        }
    }
}
