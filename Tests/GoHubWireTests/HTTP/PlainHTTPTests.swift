import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// The resources of a plain HTTP connection, and its later requests, which are read like the first one.
@Suite struct PlainHTTPTests {
    private static let request = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    private static let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func run(
        backlog: Int32 = 16, isTLS: Bool = false, configure: (inout ServerConfiguration) -> Void = { _ in },
        _ test: (ServerFixture, UnixTestServer) async throws -> Void
    ) async throws {
        let http = try UnixTestServer(backlog: backlog)
        try await ServerFixture.run(
            isTLS: isTLS,
            configure: {
                $0.httpSocketPath = http.path
                $0.closeTimeout = 60_000
                configure(&$0)
            }
        ) { try await test($0, http) }
    }

    /// A request of a client, answered.
    private func exchange(
        _ client: WebSocketTestClient, _ peer: UnixTestServer.Peer, _ request: String = request
    ) async throws {
        try await client.write(Array(request.utf8))
        try await serve(peer, request)
        #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
    }

    private func serve(_ peer: UnixTestServer.Peer, _ request: String = request) async throws {
        #expect(try await peer.readHead() == request)
        try await peer.write(Self.response)
    }

    private func heldBytes(_ fixture: ServerFixture) async -> Int {
        var bytes = 0
        for index in 0..<fixture.loops {
            bytes += await fixture.server.ask(index, orElse: 0) { $0.resources.held.bytes }
        }
        return bytes
    }

    // MARK: One request at a time

    @Test(arguments: [false, true]) func pipelinedRequestsReachTheServerOneAtATime(isTLS: Bool) async throws {
        try await run(isTLS: isTLS) { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array(String(repeating: Self.request, count: 5_000).utf8))
            let (peer, _) = try await http.accept()
            try await fixture.until("the client isn't read") { await fixture.anyConnection { $0.isReadingPaused } }
            // Only one of its requests is with the server, and only one head's bytes are buffered.
            #expect(try await peer.peek() == Self.request.utf8.count)
            #expect(await heldBytes(fixture) <= RequestHeadParser.Limits().headBytesMax)
            #expect(await fixture.anyConnection { !$0.hasOutput })
            // The next one is forwarded with the answer to the previous one.
            for _ in 0..<1_000 {
                try await serve(peer)
                #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            }
            #expect(try await peer.peek() <= Self.request.utf8.count)
            // In the meantime another client is served.
            let other = try await fixture.client()
            try await other.write(Array(Self.request.utf8))
            let (second, _) = try await http.accept()
            try await serve(second)
            #expect(try await other.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            await client.disconnect(isReset: true)
            try await fixture.until("nothing is held any more") { await heldBytes(fixture) == 0 }
        }
    }

    @Test func nextRequestWaitsForTakenResponse() async throws {
        try await run { fixture, http in
            let client = try await fixture.client(receiveBytes: 4096)
            try await client.write(Array((Self.request + Self.request).utf8))
            let (peer, _) = try await http.accept()
            #expect(try await peer.readHead() == Self.request)
            let body = [UInt8](repeating: 0x61, count: 4_000_000)
            let head = Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8)
            async let written: Void = peer.write(head + body)
            try await fixture.until("the client is behind") { await fixture.anyConnection { $0.hasOutput } }
            #expect(await heldBytes(fixture) == Self.request.utf8.count)
            #expect(try await client.readBytes(head.count + body.count) == head + body)
            try await written
            try await serve(peer)
            #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
        }
    }

    @Test func heldBytesAreLimited() async throws {
        try await run(configure: {
            $0.loops = 1
            $0.httpHeldBytesMax = 1_000
        }) { fixture, _ in
            let first = try await fixture.client()
            try await first.write(Array(("GET /a HTTP/1.1\r\nX: " + String(repeating: "x", count: 600)).utf8))
            try await fixture.until("it is held") { await heldBytes(fixture) > 600 }
            let second = try await fixture.client()
            try await second.write(Array(("GET /a HTTP/1.1\r\nX: " + String(repeating: "x", count: 600)).utf8))
            let answer = try await second.readAnswer()
            #expect(answer.status == "503")
            #expect(answer.contains("\r\nRetry-After: 5\r\n"))
            await first.disconnect()
            try await fixture.until("nothing is held") { await heldBytes(fixture) == 0 }
        }
    }

    // MARK: Later requests are parsed as strictly as the first

    @Test func everyWrongHeadIsRefusedAsASecondRequestToo() async throws {
        try await run { fixture, http in
            for refusal in RFC9110Tests.refusals {
                let client = try await fixture.client()
                try await client.write(Array(Self.request.utf8))
                let (peer, _) = try await http.accept()
                try await serve(peer)
                #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
                try await client.write(Array(refusal.text.utf8))
                let answer = try await client.readAnswer()
                #expect(answer.status == "\(refusal.status.rawValue)", "\(refusal.testDescription)")
                #expect(answer.contains("\r\nConnection: close\r\n"), "\(refusal.testDescription)")
                #expect(try await peer.readToEnd() == [], "\(refusal.testDescription)")
                await client.disconnect()
            }
        }
    }

    /// Pipelined after a valid request, which is answered.
    @Test func wrongPipelinedHeadIsRefusedAfterResponse() async throws {
        try await run { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array((Self.request + "GET /b HTTP/1.1\r\n\r\n" + Self.request).utf8))
            let (peer, _) = try await http.accept()
            try await serve(peer)
            let answer = try await client.readAnswer()
            #expect(answer.hasPrefix(Self.response + "HTTP/1.1 400 "))
            #expect(try await peer.readToEnd() == [])
        }
    }

    @Test func everyRightHeadIsServedAsASecondRequestToo() async throws {
        try await run { fixture, http in
            for request in RFC9110Tests.requests where !request.text.contains("Content-Length: ") {
                guard request.version == .http11, !request.text.contains("Transfer-Encoding") else { continue }
                let client = try await fixture.client()
                try await client.write(Array(Self.request.utf8))
                let (peer, _) = try await http.accept()
                try await serve(peer)
                try await client.write(Array(request.text.utf8))
                #expect(try await peer.read(request.text.utf8.count) == Array(request.text.utf8), "\(request.rule)")
                await client.disconnect()
            }
        }
    }

    private static let chunkedHead = "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test(arguments: [false, true]) func wrongFirstChunkRefusesRequest(isSecond: Bool) async throws {
        try await run { fixture, http in
            for text in ChunkedBodyTests.wrongOnes {
                let client = try await fixture.client()
                var peer: UnixTestServer.Peer?
                if isSecond {
                    try await client.write(Array(Self.request.utf8))
                    let (accepted, _) = try await http.accept()
                    peer = accepted
                    try await serve(accepted)
                    _ = try await client.readBytes(Self.response.utf8.count)
                }
                try await client.write(Array((Self.chunkedHead + text).utf8))
                let answer = try await client.readAnswer()
                #expect(answer.status == "400", "\(text.debugDescription)")
                if let peer { #expect(try await peer.readToEnd() == [], "\(text.debugDescription)") }
                await client.disconnect()
            }
        }
    }

    @Test func wrongLaterChunkEndsConnection() async throws {
        try await run { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array((Self.chunkedHead + "5\r\nhel").utf8))
            let (peer, _) = try await http.accept()
            #expect(try await peer.readHead() == Self.chunkedHead)
            #expect(try await peer.read(6) == Array("5\r\nhel".utf8))
            try await client.write(Array("lo!\r\n0\r\n\r\n".utf8))
            #expect(try await client.readAnswer().status == "400")
            #expect(try await peer.readToEnd() == [])
        }
    }

    @Test func bodyEndsAtItsLength() async throws {
        try await run { fixture, http in
            let client = try await fixture.client()
            let post = "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
            let chunked = Self.chunkedHead + "5\r\nhello\r\n0\r\nX: y\r\n\r\n"
            try await client.write(Array((post + "hello" + chunked + Self.request).utf8))
            let (peer, _) = try await http.accept()
            for request in [post + "hello", chunked, Self.request] {
                #expect(try await peer.read(request.utf8.count) == Array(request.utf8))
                #expect(try await peer.peek() == 0)
                try await peer.write(Self.response)
                #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            }
        }
    }

    @Test func connectionCloseStopsReading() async throws {
        try await run { fixture, http in
            for last in ["GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"] {
                let client = try await fixture.client()
                try await client.write(Array((last + Self.request).utf8))
                let (peer, _) = try await http.accept()
                try await serve(peer, last)
                #expect(try await client.readAnswer() == Self.response)
                #expect(try await peer.readToEnd() == [])
                await client.disconnect()
            }
        }
    }

    @Test func unfinishedSecondHeadIs408() async throws {
        try await run(configure: { $0.headTimeout = 200 }) { fixture, http in
            let client = try await fixture.client()
            let (written, half) = (Array(Self.request.utf8), Array("GET /b".utf8))
            try await client.write(written)
            let (peer, _) = try await http.accept()
            try await serve(peer)
            _ = try await client.readBytes(Self.response.utf8.count)
            try await client.write(half)
            #expect(try await client.readAnswer().status == "408")
        }
    }

    @Test func idleConnectionIsClosed() async throws {
        try await run(configure: { $0.httpIdleTimeout = 100 }) { fixture, http in
            let client = try await fixture.client()
            try await client.write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            try await serve(peer)
            #expect(try await client.readAnswer() == Self.response)
            #expect(try await peer.readToEnd() == [])
        }
    }

    // MARK: Slots

    /// Many browsers behind one address, with more connections than there are slots.
    @Test func idleConnectionsExcludeNobody() async throws {
        try await run(configure: { $0.httpSlotsPerAddressMax = 2 }) { fixture, http in
            var clients: [WebSocketTestClient] = []
            var peers: [UnixTestServer.Peer] = []
            for _ in 0..<20 {
                let client = try await fixture.client()
                try await client.write(Array(Self.request.utf8))
                let (peer, _) = try await http.accept()
                try await serve(peer)
                #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
                clients.append(client)
                peers.append(peer)
            }
            // All except the last two have lost their tunnels, and no client notices.
            for peer in peers.dropLast(2) { #expect(try await peer.readToEnd() == []) }
            try await exchange(clients[19], peers[19])
            try await clients[0].write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            try await serve(peer)
            #expect(try await clients[0].readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
        }
    }

    @Test func idleConnectionsAreReplacedAtAddressLimit() async throws {
        try await run(configure: { $0.connectionsPerAddressMax = 2 }) { fixture, http in
            var clients: [(WebSocketTestClient, UnixTestServer.Peer)] = []
            for _ in 0..<2 {
                let client = try await fixture.client()
                try await client.write(Array(Self.request.utf8))
                let (peer, _) = try await http.accept()
                try await serve(peer)
                _ = try await client.readBytes(Self.response.utf8.count)
                clients.append((client, peer))
            }
            // A WebSocket takes the slot of the connection that has been idle longest.
            let alice = try await fixture.join(as: "alice")
            #expect(try await clients[0].0.readToEnd() == [])
            try await exchange(clients[1].0, clients[1].1)
            // A busy connection keeps its slot.
            try await clients[1].0.write(Array(Self.request.utf8))
            #expect(try await clients[1].1.readHead() == Self.request)
            #expect(try await fixture.status(path: "/") == "429")
            try await clients[1].1.write(Self.response)
            #expect(try await clients[1].0.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            await alice.disconnect()
        }
    }

    @Test func requestWaitsForSlotOfItsAddress() async throws {
        try await run(configure: { $0.httpSlotsPerAddressMax = 1 }) { fixture, http in
            let first = try await fixture.client()
            try await first.write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            #expect(try await peer.readHead() == Self.request)
            let second = try await fixture.client()
            try await second.write(Array(Self.request.utf8))
            try await fixture.until("it waits") {
                await fixture.server.ask(0, orElse: false) { $0.shared.slots.counts == (1, 1) }
            }
            try await peer.write(Self.response)
            #expect(try await first.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            let (next, _) = try await http.accept()
            try await serve(next)
            #expect(try await second.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            // A WebSocket doesn't wait for a slot.
            _ = try await fixture.join(as: "alice")
        }
    }

    @Test func longWaitIs503() async throws {
        try await run(configure: {
            $0.httpSlotsPerAddressMax = 1
            $0.headTimeout = 300
        }) { fixture, http in
            let first = try await fixture.client()
            try await first.write(Array(Self.request.utf8))
            let (peer, _) = try await http.accept()
            #expect(try await peer.readHead() == Self.request)
            let second = try await fixture.client()
            try await second.write(Array(Self.request.utf8))
            let answer = try await second.readAnswer()
            #expect(answer.status == "503")
            #expect(answer.contains("\r\nRetry-After: 5\r\n"))
            #expect(answer.contains("The hub is busy with other requests."))
        }
    }

    @Test func fullBacklogIsRetried() async throws {
        try await run(backlog: 1) { fixture, http in
            var clients: [WebSocketTestClient] = []
            for _ in 0..<12 {
                let client = try await fixture.client()
                try await client.write(Array(Self.request.utf8))
                clients.append(client)
            }
            try await fixture.until("all have asked") {
                await fixture.server.ask(0, orElse: false) {
                    $0.shared.slots.counts.busy + $0.shared.slots.counts.waiting == 12
                }
            }
            // More than the backlog holds. As the server accepts, all of them connect.
            for _ in 0..<12 {
                let (peer, _) = try await http.accept()
                try await serve(peer)
            }
            for client in clients {
                #expect(try await client.readBytes(Self.response.utf8.count) == Array(Self.response.utf8))
            }
        }
    }

    @Test func permanentlyFullBacklogIs503() async throws {
        try await run(backlog: 0, configure: { $0.headTimeout = 500 }) { fixture, http in
            let first = try await fixture.client()
            try await first.write(Array(Self.request.utf8))
            try await fixture.until("it is connected") {
                await fixture.anyConnection { if case .http = $0.phase { true } else { false } }
            }
            let second = try await fixture.client()
            try await second.write(Array(Self.request.utf8))
            let answer = try await second.readAnswer()
            #expect(answer.status == "503")
            #expect(answer.contains("The hub is busy with other requests."))
            withExtendedLifetime(http) {}
        }
    }

    @Test func missingServerIsReported() async throws {
        try await ServerFixture.run(configure: { $0.httpSocketPath = "/nonexistent/http.sock" }) { fixture in
            let client = try await fixture.client()
            try await client.write(Array(Self.request.utf8))
            let answer = try await client.readAnswer()
            #expect(answer.status == "503")
            #expect(answer.contains("The HTTP service is not running."))
        }
    }
}
