import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// How a request at the port is answered (RFC 6455, section 4.2.2; RFC 6750, section 3).
@Suite struct HandshakeTests {
    private let verifier = TestVerifier([
        "good.one": .success(Credentials(user: .alice)),
        "later": .failure(TokenError(.keysUnavailable, "no keys")),
        "old": .failure(TokenError(.expired, "The token has expired.")),
    ])

    @Test(arguments: [false, true]) func aTokenInAuthorization(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, verifier: verifier) { fixture in
            let client = try await fixture.connect(fields: ["Authorization: Bearer good.one"])
            // The token identifies the user, and the hello needs none.
            try await client.send(#"{"op":"hello","device":"phone"}"#)
            #expect(try await client.expect("welcome")["user"] == "alice")
        }
    }

    @Test func subprotocolTokenIsNotEchoed() async throws {
        try await ServerFixture.run(verifier: verifier) { fixture in
            let client = try await fixture.client()
            let head = try await client.open(subprotocols: ["gohub.v1", "gohub.bearer.good.one"])
            #expect(head.hasPrefix("HTTP/1.1 101 "))
            #expect(head.contains("Sec-WebSocket-Protocol: gohub.v1"))
            #expect(!head.contains("good"))
            try await client.send(#"{"op":"hello"}"#)
            #expect(try await client.expect("welcome")["user"] == "alice")
        }
    }

    /// A page whose host name was made to resolve to this machine sends that name (DNS rebinding).
    @Test func inDevelopmentModeOnlyLoopbackNamesAreServed() async throws {
        try await ServerFixture.run { fixture in
            for (host, status) in [
                ("localhost:8080", "101"), ("127.0.0.1", "101"), ("[::1]:8080", "101"), ("LOCALHOST", "101"),
                ("evil.example:8080", "403"), ("localhost.evil.example", "403"), ("192.0.2.1", "403"),
            ] {
                let client = try await fixture.client()
                let request = WebSocketTestClient.request()
                try await client.write(Array(request.replacing("Host: localhost", with: "Host: \(host)").utf8))
                #expect(try await client.readHead().status == status, "\(host)")
            }
        }
    }

    @Test(arguments: [false, true]) func wrongTokenIs401(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, verifier: verifier) { fixture in
            for token in ["forged", "old"] {
                let head = try await fixture.answer(fields: ["Authorization: Bearer \(token)"])
                #expect(head.status == "401")
                #expect(head.contains("WWW-Authenticate: Bearer error=\"invalid_token\""))
            }
        }
    }

    @Test func unverifiableTokenIs503() async throws {
        try await ServerFixture.run(verifier: verifier) { fixture in
            let head = try await fixture.answer(fields: ["Authorization: Bearer later"])
            #expect(head.status == "503")
            #expect(head.contains("Retry-After: "))
        }
    }

    @Test func queryTokenNeedsPermission() async throws {
        try await ServerFixture.run(verifier: verifier) { fixture in
            let client = try await fixture.client()
            let head = try await client.open(path: "/v1/ws?access_token=good.one")
            #expect(head.status == "101")
            try await client.send(#"{"op":"hello"}"#)
            #expect(try await client.expectClose() == 4501, "the query must not count")
        }
        try await ServerFixture.run(verifier: verifier, configure: { $0.allowsTokenInQuery = true }) { fixture in
            let client = try await fixture.client()
            _ = try await client.open(path: "/v1/ws?a=b&access_token=good.one")
            try await client.send(#"{"op":"hello"}"#)
            #expect(try await client.expect("welcome")["user"] == "alice")
            #expect(try await fixture.status(path: "/v1/ws?access_token=forged") == "401")
        }
    }

    @Test func aTokenInHello() async throws {
        try await ServerFixture.run(verifier: verifier) { fixture in
            let good = try await fixture.connect()
            try await good.send(#"{"op":"hello","token":"good.one"}"#)
            #expect(try await good.expect("welcome")["user"] == "alice")
            for (hello, code) in [
                (#"{"op":"hello","token":"forged"}"#, 4501), (#"{"op":"hello"}"#, 4501),
                (#"{"op":"hello","token":"old"}"#, 4003), (#"{"op":"hello","token":"later"}"#, 1013),
            ] {
                let client = try await fixture.connect()
                try await client.send(hello)
                #expect(try await client.expectClose() == UInt16(code), "\(hello)")
            }
        }
    }

    // MARK: Origins and paths

    @Test func onlySameOriginPagesMayConnect() async throws {
        try await ServerFixture.run { (fixture) async throws in
            #expect(try await fixture.status(fields: ["Origin: https://evil.example"]) == "403")
            #expect(try await fixture.status(fields: ["Origin: http://localhost"]) == "101")
            #expect(try await fixture.status(fields: ["Origin: https://localhost"]) == "403")
        }
        try await ServerFixture.run(isTLS: true) { (fixture) async throws in
            #expect(try await fixture.status(fields: ["Origin: https://localhost"]) == "101")
            #expect(try await fixture.status(fields: ["Origin: http://localhost"]) == "403")
        }
    }

    @Test func trustedProxyReportsTLS() async throws {
        let fields = ["Origin: https://localhost", "X-Forwarded-Proto: https"]
        try await ServerFixture.run { (fixture) async throws in
            #expect(try await fixture.status(fields: fields) == "403")
        }
        let proxy = try #require(AddressRange("127.0.0.1"))
        try await ServerFixture.run(configure: { $0.trustedProxies = [proxy] }) { (fixture) async throws in
            #expect(try await fixture.status(fields: fields) == "101")
        }
    }

    @Test(arguments: [false, true]) func unknownPathIs404(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            #expect(try await fixture.status(path: "/v2/ws") == "404")
            let client = try await fixture.client()
            try await client.write(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            let answer = try await client.readAnswer()
            #expect(answer.status == "404")
            #expect(answer.hasSuffix("There is nothing at this path.\n"), "the body must be whole")
        }
    }

    @Test func framesBeforeHandshakeResponseAreRefused() async throws {
        try await ServerFixture.run { fixture in
            let client = try await fixture.client()
            let frame = WebSocketTestClient.frame(1, Array("{}".utf8))
            try await client.write(Array(WebSocketTestClient.request().utf8) + frame)
            #expect(try await client.readStatus() == "400")
        }
    }

    @Test(arguments: [1, 7]) func aHeadInPieces(pieceBytes: Int) async throws {
        try await ServerFixture.run { fixture in
            let client = try await fixture.client()
            let request = Array(WebSocketTestClient.request().utf8)
            for start in stride(from: 0, to: request.count, by: pieceBytes) {
                try await client.write(Array(request[start..<min(start + pieceBytes, request.count)]))
            }
            #expect(try await client.readStatus() == "101")
            try await client.hello("alice")
        }
    }

    @Test func invalidHeadsAreAnsweredAndClosed() async throws {
        try await ServerFixture.run { fixture in
            for (head, expected) in [
                ("\u{16}\u{3}\u{1}\u{2}\u{0}", "400"), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
                ("GET / HTTP/1.1\nHost: a\n\n", "400"),
                ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 20_000), "431"),
            ] {
                let client = try await fixture.client()
                try await client.write(Array(head.utf8))
                #expect(try await client.readStatus() == expected)
            }
        }
    }

    // MARK: Limits

    @Test func fullServerIs503() async throws {
        try await ServerFixture.run(configure: { $0.connectionsMax = 2 }) { fixture in
            let first = try await fixture.join(as: "alice")
            let second = try await fixture.join(as: "bob")
            let third = try await fixture.client()
            let answer = try await third.readAnswer()
            #expect(answer.status == "503")
            #expect(answer.contains("Retry-After: 10"))
            await first.disconnect()
            // Its slot is free as soon as the server has noticed its end.
            try await fixture.until("a place is free") { await fixture.server.statistics().connections == 1 }
            _ = try await fixture.join(as: "carol")
            _ = second
        }
    }

    @Test func fullServerClosesTLSConnections() async throws {
        try await ServerFixture.run(isTLS: true, configure: { $0.connectionsMax = 1 }) { fixture in
            let first = try await fixture.join(as: "alice")
            await #expect(throws: (any Error).self) { try await fixture.client() }
            try await first.say("still here", in: "lobby", id: "1")
            #expect(try await first.expect("message")["text"] == "still here")
        }
    }

    @Test func tooManyConnectionsOfAddressAre429() async throws {
        try await ServerFixture.run(configure: { $0.connectionsPerAddressMax = 2 }) { fixture in
            let first = try await fixture.join(as: "alice")
            let second = try await fixture.join(as: "bob")
            let third = try await fixture.client()
            let answer = try await third.readAnswer()
            #expect(answer.status == "429")
            #expect(answer.contains("Retry-After: 10"))
            await second.disconnect()
            try await fixture.until("a place is free") { await fixture.server.statistics().connections == 1 }
            _ = try await fixture.join(as: "carol")
            _ = first
        }
    }

    @Test func trustedProxyNamesTheClient() async throws {
        let proxy = try #require(AddressRange("127.0.0.0/8"))
        try await ServerFixture.run(configure: {
            $0.trustedProxies = [proxy]
            $0.connectionsPerAddressMax = 1
        }) { fixture in
            let one = try await fixture.connect(fields: ["X-Forwarded-For: 203.0.113.1"])
            let two = try await fixture.connect(fields: ["X-Forwarded-For: 203.0.113.2"])
            // Entries to the left of the address that the proxy saw may be forged by the client.
            let head = try await fixture.answer(fields: ["X-Forwarded-For: 198.51.100.9, 203.0.113.1"])
            #expect(head.status == "429")
            await one.disconnect()
            try await fixture.until("a place is free") { await fixture.server.statistics().connections == 1 }
            _ = try await fixture.connect(fields: ["X-Forwarded-For: 203.0.113.1"])
            _ = two
        }
    }

    @Test func untrustedProxyIsIgnored() async throws {
        try await ServerFixture.run(configure: { $0.connectionsPerAddressMax = 1 }) { fixture in
            let one = try await fixture.connect(fields: ["X-Forwarded-For: 203.0.113.1"])
            let two = try await fixture.client()
            let answer = try await two.readAnswer()
            #expect(answer.status == "429")
            _ = one
        }
    }

    @Test func newConnectionsPerAddressAreRateLimited() async throws {
        let rates = RateLimiter.Rates(
            connection: nil, user: nil, address: RateLimiter.Rate(1, per: 60_000, burst: 2), room: nil)
        let context = SessionContext(
            limits: .patient, authentication: .development, limiter: RateLimiter(rates))
        try await ServerFixture.run(context: context) { fixture in
            _ = try await fixture.connect()
            _ = try await fixture.connect()
            let third = try await fixture.client()
            #expect(try await third.readAnswerStatus() == "429")
        }
    }
}
