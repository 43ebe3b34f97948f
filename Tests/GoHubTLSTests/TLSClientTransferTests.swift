import CGoHubOpenSSL
import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSClientTransferTests {
    let fixture: TLSClientFixture

    init() throws {
        fixture = try TLSClientFixture()
    }

    private static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    /// A megabyte in both directions at once, through sockets of some KiB, in reads that split records.
    @Test(arguments: TLSVersion.allCases)
    func muchDataBothWaysThroughASmallSocket(_ version: TLSVersion) throws {
        let pair = try fixture.connected(fixture.client(version), bufferBytes: 1)
        let sent = Self.pattern(1_000_000)
        var (toServer, toClient) = (sent[...], sent[...])
        var (atServer, atClient): ([UInt8], [UInt8]) = ([], [])
        var waits = 0
        while atServer.count < sent.count || atClient.count < sent.count {
            // The bytes move in memory between attempts.
            switch pair.clientWrite(Array(toServer.prefix(100_000))) {
            case .ok(let count): toServer = toServer.dropFirst(count)
            case .wantWrite: waits += 1
            case let outcome: try #require(toServer.isEmpty, "\(outcome)")
            }
            switch pair.serverWrite(Array(toClient.prefix(100_000))) {
            case .ok(let count): toClient = toClient.dropFirst(count)
            case .wantWrite: waits += 1
            case let outcome: try #require(toClient.isEmpty, "\(outcome)")
            }
            while case (.ok, let bytes) = pair.serverRead(upTo: 5000) { atServer += bytes }
            while case (.ok, let bytes) = pair.clientRead(upTo: 5000) { atClient += bytes }
        }
        #expect(atServer == sent)
        #expect(atClient == sent)
        #expect(waits > 0)
    }

    @Test func recordIsReadInPieces() throws {
        let pair = try fixture.connected()
        #expect(pair.serverWrite(Self.pattern(1000)) == .ok(1000))
        var received: [UInt8] = []
        for taken in 1...1000 {
            let (outcome, bytes) = pair.clientRead(upTo: 1)
            #expect(outcome == .ok(1))
            received += bytes
            #expect(pair.client.pendingBytes == 1000 - taken)
        }
        #expect(received == Self.pattern(1000))
        #expect(pair.clientRead(upTo: 1).outcome == .wantRead)
    }

    @Test func writeTakesOneRecordAtATime() throws {
        let pair = try fixture.connected()
        #expect(pair.clientWrite(Self.pattern(40_000)) == .ok(16_384))
        #expect(pair.serverRead().bytes == Self.pattern(16_384))
    }

    @Test func renegotiationIsDeclined() throws {
        // A server that wants to renegotiate, as our own can't.
        let context = try fixture.server()
        _ = SSL_CTX_clear_options(context.pointer, gohub_SSL_OP_NO_RENEGOTIATION())
        let ssl = try #require(SSL_new(context.pointer))
        defer { SSL_free(ssl) }
        let sockets = try SocketPair()
        try #require(SSL_set_fd(ssl, sockets.server) == 1)
        SSL_set_accept_state(ssl)
        let client = try TLSClientConnection(
            context: fixture.client(.tls12), host: "localhost", descriptor: sockets.client)
        var outcome = client.handshake()
        for _ in 0..<100 where outcome == .wantRead {
            _ = SSL_do_handshake(ssl)
            outcome = client.handshake()
        }
        try #require(outcome == .done)
        try #require(SSL_is_init_finished(ssl) == 1)

        try #require(SSL_renegotiate(ssl) == 1)
        try #require(SSL_do_handshake(ssl) == 1)
        var bytes = [UInt8](repeating: 0, count: 100)
        #expect(bytes.withUnsafeMutableBytes { client.read(into: $0) } == .wantRead)
        ERR_clear_error()
        #expect(SSL_read(ssl, &bytes, 100) < 0)
        #expect(ERR_GET_REASON(ERR_get_error()) == SSL_R_NO_RENEGOTIATION)
    }
}

// MARK: - Endings

extension TLSClientTransferTests {
    @Test(arguments: TLSVersion.allCases)
    func closeNotifyFromTheServerEndsTheStream(_ version: TLSVersion) throws {
        let pair = try fixture.connected(fixture.client(version))
        #expect(pair.serverWrite([7]) == .ok(1))
        pair.server.shutdown()
        #expect(pair.clientRead().bytes == [7])
        #expect(pair.clientRead().outcome == .closed)
        #expect(pair.clientRead().outcome == .closed)
    }

    @Test(arguments: TLSVersion.allCases)
    func closeTellsTheServer(_ version: TLSVersion) throws {
        let pair = try fixture.connected(fixture.client(version))
        #expect(pair.clientWrite([7]) == .ok(1))
        pair.client.close()
        pair.client.close()
        #expect(pair.clientWrite([8]) == .closed)
        #expect(pair.clientRead().outcome == .closed)
        #expect(pair.serverRead().bytes == [7])
        #expect(pair.serverRead().outcome == .closed)
    }

    @Test func closeDoesNotWaitForAFullSocket() throws {
        let pair = try fixture.connected(bufferBytes: 1)
        let bytes = Self.pattern(16_384)
        while pair.clientWrite(bytes) != .wantWrite {}
        pair.client.close()
        #expect(pair.clientWrite(bytes) == .closed)
    }

    @Test func closedConnectionLeavesTheSocketAlone() throws {
        let pair = try fixture.connected()
        try pair.exchange()
        pair.client.close()
        // The next owner of the descriptor.
        #expect(pair.serverWrite([5]) == .ok(1))
        #expect(pair.clientWrite([8]) == .closed)
        var bytes = [UInt8](repeating: 0, count: 1000)
        #expect(recv(pair.sockets.client, &bytes, bytes.count, 0) > 0)
    }

    @Test func endOfStreamAndResetEndTheConnection() throws {
        let pair = try fixture.connected()
        pair.sockets.closeServer()
        #expect(pair.clientRead().outcome == .closed)
        #expect(pair.clientWrite([1]) == .closed)

        let other = try fixture.connected(sockets: SocketPair(tcp: ()))
        try other.exchange()
        other.sockets.resetServer()
        #expect(other.clientRead().outcome == .closed)
        #expect(other.clientWrite([1]) == .closed)
    }

    @Test func writingToAServerThatLeft() throws {
        let pair = try fixture.connected()
        pair.sockets.closeServer()
        #expect(pair.clientWrite([1]) == .closed)
        #expect(pair.clientWrite([1]) == .closed)
        #expect(pair.clientRead().outcome == .closed)
    }

    @Test func forgedRecordEndsTheConnection() throws {
        let pair = try fixture.connected()
        try pair.exchange()
        let forged: [UInt8] = [0x17, 0x03, 0x03, 0x00, 0x20] + [UInt8](repeating: 0x55, count: 32)
        try #require(send(pair.sockets.server, forged, forged.count, Int32(MSG_NOSIGNAL)) == forged.count)
        #expect(pair.clientRead().outcome.failure == .protocolViolation)
        #expect(pair.clientWrite([1]).failure == .protocolViolation)
    }
}
