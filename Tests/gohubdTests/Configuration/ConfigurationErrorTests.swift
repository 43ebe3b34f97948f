import ArgumentParser
import GoHubStore
import Testing

@testable import GoHubConfiguration
@testable import gohubd

/// The error messages for wrong settings: the source, the key, and the allowed values.
@Suite struct ConfigurationErrorTests {
    private func problems(
        file: String? = nil, environment: [String: String] = [:], _ settings: [String: String] = [:]
    ) throws -> [String] {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try DaemonConfiguration.make(file: file, environment: environment, settings)
        }
        return try #require(error).problems
    }

    // MARK: In one source

    @Test func unknownFileKeyGetsSuggestion() throws {
        let files = try TemporaryFiles()
        let path = try files.write(
            "gohub.json", #"{"limits": {"textBytesMx": 1}, "drain": {"soon": 1}, "colour": "red"}"#)
        #expect(
            try problems(file: path) == [
                "\(path): unknown key 'colour'; `gohubd check-config --list-keys` lists the known ones.",
                "\(path): unknown key 'drain.soon'; there are drain.closeOverMs, drain.reconnectOverMs, drain.deadlineMs.",
                "\(path): unknown key 'limits.textBytesMx'; did you mean 'limits.textBytesMax'?",
            ])
    }

    @Test func wrongFileValueNamesAllowedOnes() throws {
        let files = try TemporaryFiles()
        let path = try files.write(
            "gohub.json",
            #"{"loops": "two", "listen": 8080, "log": {"level": "loud"}, "deflate": 3, "origins": ["example"], "node": 1.5}"#
        )
        #expect(
            try problems(file: path)
                == [
                    "\(path): deflate must be true or false.",
                    "\(path): listen must be HOST:PORT with an IP address or localhost, such as 0.0.0.0:8443.",
                    "\(path): log.level must be trace, debug, info, notice, warning, error or critical.",
                    "\(path): loops must be a whole number from 0 to 256.",
                    "\(path): node must be 1 to 64 letters, digits, dots, hyphens or underscores.",
                    "\(path): origins must be a list of origins, such as https://chat.example.com, "
                        + "https://*.example.com, http://localhost:*, same-origin, null or *.",
                ].map { $0.prefix(1).uppercased() + $0.dropFirst() })
    }

    /// Foundation's JSON5 parser traps at an unquoted key like this one.
    @Test func nonUTF8FileIsNamed() throws {
        let files = try TemporaryFiles()
        let path = try files.write("latin1.json", bytes: Array("{f".utf8) + [0xFC] + Array("r: 1}".utf8))
        #expect(try problems(file: path) == ["\(path): the file is not UTF-8. Save it in that encoding."])
    }

    @Test func unreadableFileGivesReason() throws {
        let files = try TemporaryFiles()
        #expect(
            try problems(file: "/nowhere/gohub.json") == [
                "The configuration file /nowhere/gohub.json cannot be read: the file does not exist."
            ])
        #expect(
            try problems(file: files.directory) == [
                "The configuration file \(files.directory) is not a regular file."
            ])
        let broken = try files.write("broken.json", "{\n\"auth.secret\": \"hush hush\n}")
        let problem = try #require(try problems(file: broken).first)
        #expect(problem.hasPrefix("\(broken): the file is not valid JSON"))
        #expect(!problem.contains("hush"))
        let list = try files.write("list.json", "[1]")
        #expect(
            try problems(file: list) == [
                "\(list): the file must contain one JSON object, such as {\"listen\": \"0.0.0.0:8443\"}."
            ])
        let null = try files.write("null.json", #"{"node": null}"#)
        #expect(try problems(file: null) == ["\(null): the key 'node' is null. Remove it to use the default."])
        let mixed = try files.write("mixed.json", #"{"origins": [1]}"#)
        #expect(
            try problems(file: mixed) == ["\(mixed): the key 'origins' has a list with something other than strings."])
        let twice = try files.write("twice.json", #"{"log": {"level": "info"}, "log.level": "debug"}"#)
        #expect(try problems(file: twice) == ["\(twice): the key 'log.level' appears twice. Remove one."])
        let huge = try files.write("huge.json", String(repeating: " ", count: 1024 * 1024 + 1))
        #expect(
            try problems(file: huge) == [
                "The configuration file \(huge) is larger than the limit of 1048576 bytes."
            ])
    }

    @Test func wrongVariableIsNamed() throws {
        #expect(
            try problems(environment: ["GOHUB_LOG_LEVL": "info", "GOHUB_LOOPS": "many", "GOHUB_X": "1"]) == [
                "Unknown environment variable GOHUB_LOG_LEVL; did you mean 'GOHUB_LOG_LEVEL'?",
                "Unknown environment variable GOHUB_X; `gohubd check-config --list-keys` lists the known ones.",
                "Environment variable GOHUB_LOOPS must be a whole number from 0 to 256.",
            ])
    }

    @Test func wrongFlagIsNamed() throws {
        #expect(
            try problems(["connections.maximum": "1", "connections.max": "0"]) == [
                "Command line: unknown key 'connections.maximum'; did you mean 'connections.max'?",
                "Command line: connections.max must be a whole number from 1 to 10000000.",
            ])
        let options = try ConfigurationOptions.parse(["--set", "deflate"])
        #expect(throws: ConfigurationError("Command line: --set takes KEY=VALUE, such as --set deflate=true.")) {
            _ = try options.values(environment: [:])
        }
        let twice = try ConfigurationOptions.parse(["--listen", "127.0.0.1:1", "--set", "listen=127.0.0.1:2"])
        #expect(throws: ConfigurationError("Command line: listen is set twice. Remove one.")) {
            _ = try twice.values(environment: [:])
        }
    }

    @Test func overriddenWrongValueIsReported() throws {
        #expect(
            try problems(environment: ["GOHUB_LOOPS": "many"], ["loops": "1"]) == [
                "Environment variable GOHUB_LOOPS must be a whole number from 0 to 256."
            ])
    }

    // MARK: Between settings

    @Test func limitsThatContradictEachOtherAreRefused() throws {
        #expect(
            try problems(["limits.textBytesMax": "65536"]) == [
                "The limits contradict each other: messageBytesMax must leave 1024 bytes around a text of textBytesMax."
            ])
        #expect(try problems(["limits.queueBytesMax": "1", "limits.jsonDepthMax": "0"]).count == 4)
    }

    @Test func aClientMustBeAbleToFillItsQueue() throws {
        let options = ["loops": "2", "limits.queueBytesMax": "1048576"]
        #expect(
            try problems(options.merging(["connections.queuedBytesMax": "4194303"]) { $1 }) == [
                "connections.queuedBytesMax (4194303) must be at least 2 × limits.queueBytesMax for each of the 2 loops, "
                    + "which is 4194304."
            ])
        let least = try DaemonConfiguration.make(options.merging(["connections.queuedBytesMax": "4194304"]) { $1 })
        #expect(least.connections.queuedBytesMax == 4_194_304)
    }

    @Test(arguments: ["0.0.0.0:8443", "[::]:8443", "192.0.2.1:80"])
    func withoutAKeyOnlyThisMachineIsServed(listen: String) throws {
        let problem = try #require(try problems(["listen": listen]).first)
        #expect(problem.hasPrefix("listen is \(listen), which other machines can reach, but no key is configured"))
        #expect(problem.contains("auth.secretFile, auth.publicKeys, auth.jwksFile or auth.jwksURL"))
        let withKey = try DaemonConfiguration.make(["listen": listen, "auth.jwksFile": "keys.json"])
        #expect(!withKey.isDevelopment)
    }

    @Test func withoutAKeyNoProxyIsTrusted() throws {
        let problem = try #require(try problems(["trustedProxies": "127.0.0.1"]).first)
        #expect(problem.hasPrefix("trustedProxies is set, so a proxy admits other machines, but no key is configured"))
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:8080", "localhost:8080", "127.9.9.9:1"])
    func withoutAKeyLoopbackIsServed(listen: String) throws {
        #expect(try DaemonConfiguration.make(["listen": listen]).isDevelopment)
    }

    @Test func halfATLSConfigurationIsRefused() throws {
        #expect(
            try problems(["tls.certificate": "a.pem"]) == ["tls.certificate is set, but tls.key is not. Set both."])
        #expect(try problems(["tls.key": "a.pem"]) == ["tls.key is set, but tls.certificate is not. Set both."])
        #expect(
            try problems(["tls.clientCA": "a.pem"]) == [
                "tls.clientCA and tls.clientCertificates need TLS. Set tls.certificate and tls.key."
            ])
        #expect(
            try problems(["tls.certificate": "a", "tls.key": "b", "tls.clientCertificates": "required"]) == [
                "tls.clientCertificates is required. Set tls.clientCA to the authorities that sign them."
            ])
    }

    @Test func secretHasOneSource() throws {
        let secret = "0123456789abcdef0123456789abcdef"
        #expect(
            try problems(environment: ["GOHUB_AUTH_SECRET": secret], ["auth.secretFile": "x"]) == [
                "auth.secret and auth.secretFile are both set. Remove one."
            ])
        #expect(
            try problems(environment: ["GOHUB_API_KEY": secret], ["api.keyFile": "x"]) == [
                "api.key and api.keyFile are both set. Remove one."
            ])
    }

    @Test func drainDeadlineMustExceedCloseTime() throws {
        #expect(
            try problems(["drain.deadlineMs": "5000"]) == [
                "drain.deadlineMs (5000) must be more than drain.closeOverMs (5000), the time over which connections "
                    + "are closed."
            ])
    }

    @Test func ambiguousOrInvalidStoreIsRefused() throws {
        #expect(
            try problems(["store": "sqlite:hub.db", "storeFile": "x"]) == [
                "store and storeFile are both set. Remove one."
            ])
        #expect(
            try problems(["store": "mysql:hush"]) == [
                "Command line: store must be memory, sqlite:PATH or postgres:URL."
            ])
    }

    @Test func storePasswordIsRefusedOnCommandLine() throws {
        for url in ["postgres://hub:hush@db/hub", "postgres:host=db password=hush", "postgres://hub:hu%sh@db"] {
            #expect(
                try problems(["store": url]) == [
                    "Command line: store contains a password, and every user of this machine can read command lines. Use "
                        + "storeFile or the environment variable GOHUB_STORE."
                ])
        }
        let configuration = try DaemonConfiguration.make(["store": "postgres://hub@db/hub?sslmode=verify-full"])
        #expect(try configuration.store.location() == .postgres(url: "postgres://hub@db/hub?sslmode=verify-full"))
    }

    @Test(arguments: [
        "http://issuer.example.com/keys", "ftp://issuer.example.com", "https://user:hush@issuer.example.com/", "keys",
        "https://", "http://127.0.0.1.example.com/", "https://a b/",
    ])
    func keySetNeedsHTTPSOrLoopback(url: String) throws {
        #expect(
            try problems(["auth.jwksURL": url]) == [
                "Command line: auth.jwksURL must be an https URL without user and password; http only to this machine."
            ])
    }

    @Test(arguments: [
        "https://issuer.example.com/keys", "http://localhost:1/keys", "http://127.0.0.1/k", "http://[::1]:1/k",
    ])
    func theseKeySetsAreTaken(url: String) throws {
        #expect(try DaemonConfiguration.make(["auth.jwksURL": url]).auth.jwks?.location.url == url)
    }

    /// Even after a mistake in the table of keys, the hub must not use a store in memory.
    @Test(arguments: [nil, "", "memroy", "mysql://localhost/hub"])
    func aStoreThatIsNoneIsRefused(location: String?) {
        #expect(throws: ConfigurationError.self) { try StoreConfiguration.Source(location: location) }
    }
}
