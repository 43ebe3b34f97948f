import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct UpgradeResponseTests {
    private func request(_ fields: String = "") throws -> UpgradeRequest {
        let text =
            "GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(fields)\r\n"
        guard case .complete(let head, _) = RequestHeadTests.parse([Array(text.utf8)]) else {
            throw UpgradeRejection.badRequest("the test's own request is wrong")
        }
        return try UpgradeRequest(head)
    }

    /// Only the fields that the handshake needs.
    @Test func anAcceptance() throws {
        let text = String(decoding: UpgradeResponse.accept(try request()), as: UTF8.self)
        #expect(
            text == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    }

    @Test func negotiatedValuesAreInTheResponse() throws {
        let request = try request(
            "Sec-WebSocket-Protocol: gohub.v1, gohub.bearer.secret\r\nSec-WebSocket-Extensions: permessage-deflate\r\n")
        let deflate = DeflateParameters.negotiate(offers: request.extensions, configuration: .init())
        let text = String(decoding: UpgradeResponse.accept(request, deflate: deflate), as: UTF8.self)
        #expect(text.contains("\r\nSec-WebSocket-Protocol: gohub.v1\r\n"))
        #expect(
            text.contains(
                "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                    + "client_no_context_takeover\r\n"))
        #expect(!text.contains("secret"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test func aRefusal() {
        let text = String(decoding: UpgradeResponse.reject(.badRequest("No."), at: .ms(0)), as: UTF8.self)
        #expect(
            text == "HTTP/1.1 400 Bad Request\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                + "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nNo.\n"
        )
    }

    @Test(
        arguments: [
            (.unauthorized("r", tokenWasGiven: false), "HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Bearer"),
            (
                .unauthorized("r", tokenWasGiven: true), "HTTP/1.1 401 Unauthorized",
                "WWW-Authenticate: Bearer error=\"invalid_token\""
            ),
            (.forbidden("r"), "HTTP/1.1 403 Forbidden", "Connection: close"),
            (.notFound, "HTTP/1.1 404 Not Found", "Connection: close"),
            (.methodNotAllowed(allow: "GET"), "HTTP/1.1 405 Method Not Allowed", "Allow: GET"),
            (.requestTimeout, "HTTP/1.1 408 Request Timeout", "Connection: close"),
            (.contentTooLarge, "HTTP/1.1 413 Content Too Large", "Connection: close"),
            (.expectationFailed, "HTTP/1.1 417 Expectation Failed", "Connection: close"),
            (.upgradeRequired, "HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version: 13"),
            (.upgradeRequired, "HTTP/1.1 426 Upgrade Required", "Upgrade: websocket"),
            (.upgradeRequired, "HTTP/1.1 426 Upgrade Required", "Connection: Upgrade, close"),
            (.tooManyRequests(retryAfterSeconds: 3), "HTTP/1.1 429 Too Many Requests", "Retry-After: 3"),
            (
                .init(status: .fieldsTooLarge, reason: "r"), "HTTP/1.1 431 Request Header Fields Too Large",
                "Connection: close"
            ),
            (.unavailable("full", retryAfterSeconds: 7), "HTTP/1.1 503 Service Unavailable", "Retry-After: 7"),
            (.http2PriorKnowledge, "HTTP/1.1 505 HTTP Version Not Supported", "Connection: close"),
        ] as [(UpgradeRejection, String, String)])
    func refusals(_ rejection: UpgradeRejection, _ statusLine: String, _ field: String) {
        let text = String(decoding: UpgradeResponse.reject(rejection, at: .ms(0)), as: UTF8.self)
        #expect(text.hasPrefix(statusLine + "\r\n"))
        #expect(text.contains("\r\n\(field)\r\n"))
        #expect(text.contains("\r\nContent-Length: \(rejection.reason.utf8.count + 1)\r\n"))
        #expect(text.hasSuffix("\r\n\r\n\(rejection.reason)\n"))
    }

    @Test func headerValuesCannotContainLineEnds() {
        let rejection = UpgradeRejection(
            status: .forbidden, reason: "a\r\nb", fields: [.init(name: "X", value: "y\r\nSet-Cookie: z")])
        let text = String(decoding: UpgradeResponse.reject(rejection, at: .ms(0)), as: UTF8.self)
        #expect(text.contains("\r\nX: y??Set-Cookie: z\r\n"))
        #expect(text.hasSuffix("\r\n\r\na??b\n"))
    }
}
