import GoHubStore
import Testing

@testable import GoHubConfiguration
@testable import gohubd

/// Secrets are read, and never printed.
@Suite struct ConfigurationSecretTests {
    private let secret = "hush-0123456789abcdef0123456789abcdef"

    @Test func theListingRedactsSecrets() throws {
        let values = try ConfigurationValues.make(environment: [
            "GOHUB_AUTH_SECRET": secret, "GOHUB_API_KEY": secret, "GOHUB_STORE": "postgres://hub:hush@db/hub",
        ])
        let listing = values.listing()
        #expect(!listing.contains("hush"))
        #expect(listing.contains("auth.secret = <redacted>    (environment)"))
        #expect(listing.contains("api.key = <redacted>    (environment)"))
        #expect(listing.contains("store = postgres:<redacted>    (environment)"))
        #expect(listing.contains("auth.secretFile = (not set)    (default)"))
        #expect(listing.split(separator: "\n").count == ConfigurationKey.all.count)
    }

    @Test func shortSecretIsNotRepeated() throws {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try ConfigurationValues.make(environment: ["GOHUB_AUTH_SECRET": "hush", "GOHUB_API_KEY": "hush"])
        }
        #expect(
            try #require(error).problems == [
                "Environment variable GOHUB_API_KEY must be a string of at least 16 bytes.",
                "Environment variable GOHUB_AUTH_SECRET must be a string of at least 32 bytes.",
            ])
    }

    @Test func secretsAreNotTakenFromTheCommandLine() throws {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try ConfigurationValues.make(["auth.secret": secret])
        }
        let problem = "\(try #require(error))"
        #expect(
            problem
                == "Command line: auth.secret is a secret, and every user of this machine can read command lines. "
                + "Use auth.secretFile or the environment variable GOHUB_AUTH_SECRET.")
    }

    @Test func aConfigurationDoesNotDescribeItsSecrets() throws {
        let configuration = try DaemonConfiguration.make(
            environment: ["GOHUB_AUTH_SECRET": secret, "GOHUB_API_KEY": secret])
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect("\(configuration)".contains("<redacted>"))
        #expect(!"\(configuration)".contains("hush"))
        let bytes = Array(secret.utf8)
        #expect(try configuration.apiKey?.read(bytesMin: 16) == bytes)
        #expect(!dumped.contains("hush") && !dumped.contains("- \(bytes[0])"))
    }

    @Test func secretFileIsStrippedOfTrailingNewlines() throws {
        let files = try TemporaryFiles()
        let path = try files.write("secret", " 0123456789abcdef \r\n\n")
        let configuration = try DaemonConfiguration.make(["api.keyFile": path])
        #expect(try configuration.apiKey?.read(bytesMin: 16) == Array(" 0123456789abcdef ".utf8))
        try files.write("secret", "short\n")
        #expect(
            throws: ConfigurationError(
                "api.keyFile: \(path) has 5 bytes, but a secret needs at least 16. Make one with "
                    + "`openssl rand -base64 16`.")
        ) { _ = try configuration.apiKey?.read(bytesMin: 16) }
    }

    @Test func storeURLMayComeFromFile() throws {
        let files = try TemporaryFiles()
        let path = try files.write("store", "postgres://u:hush@h/d\n")
        let configuration = try DaemonConfiguration.make(["storeFile": path])
        #expect(try configuration.store.location() == .postgres(url: "postgres://u:hush@h/d"))
        #expect("\(try configuration.store.location())" == "postgres:<redacted>")
        try files.write("store", "mysql://u:hush@h/d\n")
        let wrong = ConfigurationError(
            "storeFile: the contents of \(path) are invalid: a store is 'memory', 'sqlite:PATH' or 'postgres:URL'.")
        #expect(throws: wrong) { try configuration.store.location() }
        let missing = try DaemonConfiguration.make(["storeFile": "/nowhere"])
        #expect(throws: ConfigurationError("storeFile: /nowhere cannot be read: the file does not exist.")) {
            try missing.store.location()
        }
    }

    @Test func storeURLIsNeverDisclosed() throws {
        for text in ["postgres://u:hush@h/d", "postgresql://u:hush@h/d", "postgres:host=h password=hush"] {
            let location = try StoreLocation(text)
            #expect("\(location)" == "postgres:<redacted>")
            #expect(String(reflecting: location) == "postgres:<redacted>")
            #expect(location.holdsPassword)
        }
        #expect(try !StoreLocation("postgres://u@h/d").holdsPassword)
        #expect(try !StoreLocation("sqlite:/hush").holdsPassword)
        #expect(try StoreLocation("sqlite:/var/lib/hub.db") == .sqlite(path: "/var/lib/hub.db"))
        #expect(throws: StoreLocationError.self) { _ = try StoreLocation("sqlite:") }
        #expect(throws: StoreLocationError.self) { _ = try StoreLocation("") }
    }
}
