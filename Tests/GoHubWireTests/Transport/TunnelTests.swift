import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Requests other than WebSocket handshakes go unchanged to the HTTP server behind the hub.
@Suite struct TunnelTests {
    /// The answer, for a response that ends with its connection.
    private static let responseHead = "HTTP/1.1 200 OK\r\n\r\n"
    private static let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Odd:  value \r\n\r\n"

    private func run(
        isTLS: Bool = false, limits: Limits = Limits(),
        _ test: (ServerFixture, UnixTestServer) async throws -> Void
    ) async throws {
        let http = try UnixTestServer()
        try await ServerFixture.run(
            isTLS: isTLS, limits: limits,
            configure: {
                $0.httpSocketPath = http.path
                $0.closeTimeout = 60_000
            }
        ) { try await test($0, http) }
    }

    private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var numbers = SeededRandom(seed: seed)
        let words = (0..<count / 8).map { _ in numbers.next() }
        return words.withUnsafeBytes(Array.init)
    }

    @Test(arguments: [false, true]) func requestAndResponseGoThroughUnchanged(isTLS: Bool) async throws {
        try await run(isTLS: isTLS) { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array(Self.request.utf8))
            let (peer, header) = try await http.accept()
            #expect(try await peer.readHead() == Self.request)

            // Version 2, PROXY, TCP over IPv4, twelve bytes of addresses, and eight that tell of TLS
            // (proxy-protocol.txt, sections 2.2 and 2.2.6).
            #expect(Array(header.prefix(12)) == [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A])
            #expect(Array(header[12..<16]) == [0x21, 0x11, 0, isTLS ? 20 : 12])
            #expect(Array(header[16..<24]) == [127, 0, 0, 1, 127, 0, 0, 1])
            #expect(Int(header[26]) << 8 | Int(header[27]) == Int(fixture.port))

            let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            try await peer.write(response)
            #expect(try await client.readBytes(response.utf8.count) == Array(response.utf8))

            // The connection is kept alive: a second request goes the same way, and later upgrades are not the hub's.
            let second = WebSocketTestClient.request()
            try await client.write(Array(second.utf8))
            #expect(try await peer.readHead() == second)
            try await peer.write(response)
            try await peer.close()
            #expect(try await client.readToEnd() == Array(response.utf8))
        }
    }

    @Test func proxiedClientIsInTheHeader() async throws {
        let proxy = try #require(AddressRange("127.0.0.0/8"))
        let http = try UnixTestServer()
        try await ServerFixture.run(configure: {
            $0.httpSocketPath = http.path
            $0.trustedProxies = [proxy]
        }) { fixture in
            let client = try await fixture.client()
            let request = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
            try await client.write(Array(request.utf8))
            let (peer, header) = try await http.accept()
            #expect(Array(header[16..<20]) == [203, 0, 113, 7])
            #expect(try await peer.readHead() == request)
        }
    }

    @Test(arguments: [false, true]) func bigBodiesBothWaysAtOnce(isTLS: Bool) async throws {
        try await run(isTLS: isTLS) { fixture, http in
            let client = try await fixture.client(receiveBytes: 4096)
            let (up, down) = (noise(6_000_000, seed: 1), Array(Self.responseHead.utf8) + noise(6_000_000, seed: 2))
            let head = "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(up.count)\r\n\r\n"
            try await client.write(Array(head.utf8))
            let (peer, _) = try await http.accept()
            #expect(try await peer.readHead() == head)

            // Neither side reads yet: each can only send as much as the buffers in between hold.
            async let uploaded: Void = client.write(up)
            async let received = peer.read(up.count)
            #expect(try await received == up)
            try await uploaded

            async let downloaded = client.readBytes(down.count)
            try await peer.write(down)
            try await peer.close()
            #expect(try await downloaded == down)
            #expect(try await client.readToEnd().isEmpty)
        }
    }

    @Test(arguments: [false, true]) func downloadWaitsForSlowReader(isTLS: Bool) async throws {
        try await run(isTLS: isTLS) { fixture, http in
            let client = try await fixture.client(receiveBytes: 4096)
            try await client.write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            _ = try await peer.readHead()
            let body = Array(Self.responseHead.utf8) + noise(20_000_000, seed: 3)
            async let written: Void = peer.write(body)
            try await fixture.until("the client is behind") { await fixture.anyConnection { $0.hasOutput } }
            // The hub holds at most one read of the server's socket.
            let isBounded = await fixture.anyConnection {
                $0.outgoing.waitingBytes <= 2 * EventLoop.readBytesMax
            }
            #expect(isBounded)
            #expect(try await client.readBytes(body.count) == body)
            try await written
        }
    }

    @Test func uploadWaitsForSlowServer() async throws {
        try await run { fixture, http in
            let client = try await fixture.client()
            let body = noise(8_000_000, seed: 4)
            let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n\r\n"
            try await client.write(Array(head.utf8))
            let (peer, _) = try await http.accept()
            async let written: Void = client.write(body)
            try await fixture.until("the client isn't read") { await fixture.anyConnection { $0.isReadingPaused } }
            #expect(try await peer.readHead() == head)
            #expect(try await peer.read(body.count) == body)
            try await written
        }
    }

    @Test func halfClosedRequestGetsResponse() async throws {
        try await run { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array(Self.request.utf8))
            try await client.finishSending()
            let (peer, _) = try await http.accept()
            #expect(try await peer.readToEnd() == Array(Self.request.utf8))
            let body = Array(Self.responseHead.utf8) + noise(3_000_000, seed: 5)
            async let answer = client.readToEnd()
            try await peer.write(body)
            try await peer.close()
            #expect(try await answer == body)
        }
    }

    @Test(arguments: [false, true]) func responseSurvivesServersClose(isTLS: Bool) async throws {
        try await run(isTLS: isTLS) { fixture, http in
            let client = try await fixture.client(receiveBytes: 4096)
            try await client.write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            _ = try await peer.readHead()
            // Less than the Unix socket holds: the server has closed before the client has read anything.
            let body = Array(Self.responseHead.utf8) + noise(150_000, seed: 6)
            try await peer.write(body)
            try await peer.close()
            #expect(try await client.readToEnd() == body)
            await client.disconnect()
            try await fixture.until("it is gone") { await fixture.server.statistics().connections == 0 }
        }
    }

    @Test(arguments: [false, true]) func earlyRefusalReachesClient(isTLS: Bool) async throws {
        try await run(isTLS: isTLS) { fixture, http in
            let client = try await fixture.client()
            let body = [UInt8](repeating: 0x20, count: 4_000_000)
            let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n\r\n"
            try await client.write(Array(head.utf8))
            let (peer, _) = try await http.accept()
            _ = try await peer.readHead()
            async let written: Void = client.write(body)
            // It answers and closes with most of the request unread.
            _ = try await peer.read(1000)
            let response = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            try await peer.write(response)
            try await peer.close()
            try await written
            #expect(try await client.readBytes(response.utf8.count) == Array(response.utf8))
        }
    }

    @Test(arguments: [false, true]) func clientDisconnectClosesTunnel(isReset: Bool) async throws {
        try await run { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            _ = try await peer.readHead()
            await client.disconnect(isReset: isReset)
            #expect(try await peer.readToEnd().isEmpty)
            try await peer.close()
            try await fixture.until("it is gone") { await fixture.server.statistics().connections == 0 }
        }
    }

    @Test func missingServerIs503() async throws {
        try await ServerFixture.run(configure: { $0.httpSocketPath = "/nonexistent/http.sock" }) { fixture in
            #expect(try await fixture.status(path: "/") == "503")
            // The hub itself doesn't need it.
            _ = try await fixture.join(as: "alice")
        }
        let long = "/" + String(repeating: "x", count: 200)
        try await ServerFixture.run(configure: { $0.httpSocketPath = long }) { (fixture) async throws in
            #expect(try await fixture.status(path: "/") == "503")
        }
    }
}
