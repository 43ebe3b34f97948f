import GoHubCore
import GoHubWire
import HTTPTypes
import HummingbirdTesting
import Synchronization
import Testing

@testable import GoHubHTTP

/// A page can ask by HTTP, at the handshake's own paths, why a handshake would be refused.
@Suite struct HandshakeProbeTests {
    /// Requests to a hub that verifies tokens.
    private func probe(
        _ fields: [(HTTPField.Name, String)] = [], path: String = "/v1/ws", refusal: Hub.AdmissionRefusal? = nil,
        origins: String? = nil
    ) async throws -> TestResponse {
        let hub = FakeHub()
        hub.withState { $0.refusal = refusal }
        let headers = HTTPFields(fields.map { HTTPField(name: $0.0, value: $0.1) })
        let answer = Answer()
        try await withRoutes(
            hub: hub, verifier: PlainVerifier(),
            origins: origins?.split(separator: ",").map { String($0) } ?? []
        ) { client in
            let response = try await client.execute(uri: path, method: .get, headers: headers)
            answer.response.withLock { $0 = response }
        }
        return try #require(answer.response.withLock { $0 })
    }

    private final class Answer: Sendable {
        let response = Mutex<TestResponse?>(nil)
    }

    @Test(arguments: ["/v1/ws", "/ws"])
    func whereNothingSpeaksAgainstAWebSocketItIsAskedFor(path: String) async throws {
        let response = try await probe(path: path)
        #expect(response.status == .upgradeRequired)
        #expect(response.headers[.upgrade] == "websocket")
        #expect(response.text.contains("subprotocol gohub.v1"))
        let page = try await probe([(.origin, "http://localhost")], path: path)
        #expect(page.status == .upgradeRequired)
        #expect(page.headers[.accessControlAllowOrigin] == "http://localhost")
    }

    /// A page of another origin may read this one answer, because it has no other way to learn that its origin is
    /// refused.
    @Test func foreignOriginIsReported() async throws {
        let response = try await probe([(.origin, "https://evil.example")], refusal: .full)
        #expect(response.status == .forbidden)
        #expect(response.headers[.accessControlAllowOrigin] == "*")
        #expect(
            response.text
                == #"{"code":"forbidden","message":"Pages of this origin are not allowed to use the hub. The operator can add the origin to `origins`."}"#
        )
    }

    @Test func ownPageLearnsMissingOrigin() async throws {
        let response = try await probe([(.origin, "http://localhost")], origins: "https://chat.example.com")
        #expect(response.status == .forbidden)
        #expect(response.text.contains("add same-origin to `origins`"))
        let listed = try await probe([(.origin, "http://localhost")], origins: "https://chat.example.com,same-origin")
        #expect(listed.status == .upgradeRequired)
    }

    /// A browser sends no `Origin` for a same-host `GET`.
    @Test func theHubsOwnPageIsKnownWithoutAnOrigin() async throws {
        let site = try #require(HTTPField.Name("Sec-Fetch-Site"))
        let response = try await probe([(site, "same-origin")], origins: "https://chat.example.com")
        #expect(response.status == .forbidden)
        #expect(response.text.contains("add same-origin to `origins`"))
        for (value, origins) in [("same-origin", nil), ("none", "https://chat.example.com"), ("cross-site", nil)] {
            #expect(try await probe([(site, value)], origins: origins).status == .upgradeRequired, "\(value)")
        }
    }

    @Test(arguments: [
        (Hub.AdmissionRefusal.full, HTTPResponse.Status.serviceUnavailable, "unavailable"),
        (.notAccepting, .serviceUnavailable, "unavailable"), (.address, .tooManyRequests, "rate_limited"),
    ])
    func fullHubIsReported(
        refusal: Hub.AdmissionRefusal, status: HTTPResponse.Status, code: String
    ) async throws {
        for origin in ["http://localhost", nil] {
            let response = try await probe(origin.map { [(.origin, $0)] } ?? [], refusal: refusal)
            #expect(response.status == status)
            #expect(response.headers[.retryAfter] == "10")
            #expect(response.headers[.accessControlExposeHeaders]?.contains("retry-after") == true)
            #expect(response.text.contains(#""code":"\#(code)""#))
        }
    }

    @Test func probeVerifiesToken() async throws {
        for (token, status, message) in [
            ("default/alice/*:rw", 426, "WebSocket"), ("expired", 401, "The token has expired."),
            ("nonsense", 401, "This is no token."), ("later", 503, "The keys can't be had now."),
        ] {
            let response = try await probe([(.authorization, "Bearer \(token)")])
            #expect(response.status.code == status)
            #expect(response.text.contains(message))
            if status == 401 {
                #expect(response.headers[.wwwAuthenticate]?.contains(#"error="invalid_token""#) == true)
            }
        }
    }
}
