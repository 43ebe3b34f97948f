import AsyncHTTPClient
import GoHubCore
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Testing

@testable import GoHubConfiguration
@testable import gohubd

/// The key set's URL, served by a real server on this machine.
@Suite struct JWKSFetcherTests {
    /// RFC 7515, appendix A.3: its public key.
    private static let keySet = """
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "rfc7515", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", \
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
        """

    private func withIssuer(_ test: @escaping @Sendable (_ url: String, HTTPClient) async throws -> Void) async throws {
        let router = Router()
        router.get("keys") { _, _ in Self.keySet }
        router.get("moved") { _, _ in Response(status: .found, headers: [.location: "/keys"]) }
        router.get("gone") { _, _ in Response(status: .notFound) }
        router.get("huge") { _, _ in String(repeating: " ", count: 256 * 1024 + 1) }
        router.get("largest") { _, _ in String(repeating: " ", count: 256 * 1024) }
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            logger: quiet)
        try await application.test(.live) { client in
            let port = try #require(client.port)
            let http = JWKSFetcher.makeClient(timeout: .patient)
            do {
                try await test("http://127.0.0.1:\(port)", http)
                try await http.shutdown()
            } catch {
                try await http.shutdown()
                throw error
            }
        }
    }

    @Test func aKeySetIsFetched() async throws {
        try await withIssuer { url, http in
            let location = try #require(JWKSLocation(url + "/keys"))
            let bytes = try await JWKSFetcher(location: location, client: http, timeout: .patient).fetch()
            #expect(try VerificationKeys(publishedJWKS: bytes).count == 1)
        }
    }

    @Test(arguments: [
        ("/moved", "responded with status 302 instead of 200"), ("/gone", "responded with status 404 instead of 200"),
        ("/huge", "sent more than the limit of 262144 bytes"),
    ])
    func malformedKeySetIsRefused(path: String, reason: String) async throws {
        try await withIssuer { url, http in
            let location = try #require(JWKSLocation(url + path))
            let error = await #expect(throws: JWKSFetcher.Failure.self) {
                _ = try await JWKSFetcher(location: location, client: http, timeout: .patient).fetch()
            }
            #expect(try #require(error).description == "\(url)\(path) \(reason)")
        }
    }

    @Test func theBoundIsExact() async throws {
        try await withIssuer { url, http in
            let location = try #require(JWKSLocation(url + "/largest"))
            #expect(
                try await JWKSFetcher(location: location, client: http, timeout: .patient).fetch().count == 256 * 1024)
        }
    }
}

extension TimeAmount {
    /// Long enough for a busy machine.
    fileprivate static let patient = TimeAmount.seconds(120)
}
