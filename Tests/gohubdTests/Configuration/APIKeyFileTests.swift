import GoHubHTTP
import Testing

@testable import GoHubConfiguration
@testable import gohubd

@Suite struct APIKeyFileTests {
    @Test func keyReloadsAndInvalidFileKeepsOldOne() throws {
        let files = try TemporaryFiles()
        let path = try files.write("key", "first-0123456789abcdef\n")
        let source = try #require(try DaemonConfiguration.make(["api.keyFile": path]).apiKey)
        let reloading = try ReloadingAPIKey(source)
        let key = reloading.key
        #expect(key.matches("first-0123456789abcdef"))
        try files.write("key", "second-0123456789abcdef")
        try reloading.reload()
        #expect(key.matches("second-0123456789abcdef"))
        #expect(!key.matches("first-0123456789abcdef"))
        try files.write("key", "short")
        #expect(throws: ConfigurationError.self) { try reloading.reload() }
        #expect(key.matches("second-0123456789abcdef"))
        #expect(!key.matches(""))
    }
}
