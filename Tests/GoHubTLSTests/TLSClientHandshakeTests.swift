import CGoHubOpenSSL
import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSClientHandshakeTests {
    let fixture: TLSClientFixture

    init() throws {
        fixture = try TLSClientFixture()
    }

    @Test(arguments: TLSVersion.allCases, ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1"])
    func serverIsVerifiedByNameOrAddress(_ version: TLSVersion, host: String) throws {
        let pair = try fixture.connected(fixture.client(version), host: host)
        #expect(pair.server.protocolVersion == version)
        #expect(pair.server.negotiatedALPN == nil)
        #expect(pair.server.cipher?.contains("GCM") == true)
        try pair.exchange()
    }

    @Test func nameIsSentAndAddressIsNot() throws {
        func hello(_ host: String) throws -> String {
            let sockets = try SocketPair()
            let client = try TLSClientConnection(
                context: fixture.client(), host: host, descriptor: sockets.server)
            #expect(client.handshake() == .wantRead)
            return String(decoding: sockets.receiveAsClient(), as: Unicode.ASCII.self)
        }
        #expect(try hello("localhost.").contains("\0\u{9}localhost\0"))
        #expect(try !hello("127.0.0.1").contains("127.0.0.1"))
    }

    @Test func settingsNameReplacesTheHost() throws {
        let context = try fixture.client { $0.serverName = "localhost" }
        try fixture.connected(context, host: "10.0.0.7").exchange()
        let other = try fixture.client { $0.serverName = "redis.example" }
        let pair = try TLSClientPair(other, fixture.server(), host: "localhost")
        #expect(pair.handshake().client.failure == .serverNameMismatch)
    }

    @Test func systemAuthoritiesAreTheDefault() throws {
        // Nobody's system trusts an authority that this test has made.
        let context = try fixture.client { $0.authoritiesPath = nil }
        #expect(try TLSClientPair(context, fixture.server()).handshake().client.failure == .serverCertificateUntrusted)
    }

    @Test func tinySocketBuffersOnlyNeedMoreTurns() throws {
        try fixture.connected(bufferBytes: 1).exchange()
    }

    @Test func serverHelloMayComeByteByByte() throws {
        let client = try SocketPair()
        let server = try SocketPair()
        let connection = try TLSClientConnection(
            context: fixture.client(), host: "localhost", descriptor: client.server)
        let engine = try TLSEngine(context: fixture.server(), fd: server.server, through: TLSSocketBIO())
        #expect(connection.handshake() == .wantRead)
        try server.sendAsClient(client.receiveAsClient())
        #expect(engine.handshake() == .wantRead)
        for byte in server.receiveAsClient() {
            #expect(connection.handshake() == .wantRead)
            try client.sendAsClient([byte])
        }
        #expect(connection.handshake() == .done)
        try server.sendAsClient(client.receiveAsClient())
        #expect(engine.handshake() == .done)
    }

    @Test func transferNeedsCompletedHandshake() throws {
        let pair = try TLSClientPair(fixture.client(), fixture.server())
        #expect(pair.clientRead().outcome == .wantRead)
        #expect(pair.clientWrite([1]) == .wantWrite)
        #expect(pair.client.pendingBytes == 0)
    }

    @Test func remainsInTheErrorQueueDoNotCount() throws {
        let pair = try TLSClientPair(fixture.client(), fixture.server())
        func leaveAnError() throws {
            try #require(BIO_new_file("/nonexistent/file", "r") == nil)
            try #require(ERR_peek_error() != 0)
        }
        try leaveAnError()
        #expect(pair.client.handshake() == .wantRead)
        #expect(pair.handshake() == (.done, .done))
        // After it there is no ticket to read, at which OpenSSL itself would clear the queue.
        try pair.exchange()
        try leaveAnError()
        #expect(pair.clientRead().outcome == .wantRead)
        try leaveAnError()
        #expect(pair.clientWrite([1]) == .ok(1))
        ERR_clear_error()
    }
}

// MARK: - Client certificates

extension TLSClientHandshakeTests {
    private func presenting(_ certificate: TestCertificates.Pair?, _ version: TLSVersion) throws -> TLSClientContext {
        try fixture.client(version) {
            $0.certificateChainPath = certificate?.chainPath
            $0.privateKeyPath = certificate?.keyPath
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func clientCertificateIsPresented(_ version: TLSVersion) throws {
        let pair = try fixture.connected(
            presenting(fixture.certificates.client, version), fixture.server(clientCertificates: .required))
        #expect(pair.server.peerCertificateSubject == "CN=client")
        try pair.exchange()
    }

    @Test func missingCertificateIsReportedInTheHandshakeOfTLS12() throws {
        let pair = try TLSClientPair(
            presenting(nil, .tls12), fixture.server(clientCertificates: .required))
        let outcome = pair.handshake()
        #expect(outcome.server.failure == .clientCertificateMissing)
        #expect(
            outcome.client
                == .failed(
                    TLSError(
                        .alertReceived,
                        "The server refused the TLS handshake. It may require a client certificate that it trusts, or "
                            + "have no TLS version or cipher suite in common with GoHub.")))
    }

    @Test func missingCertificateIsReportedByTheFirstReadOfTLS13() throws {
        let pair = try TLSClientPair(
            presenting(nil, .tls13), fixture.server(clientCertificates: .required))
        #expect(pair.handshake().client == .done)
        #expect(
            pair.clientRead().outcome
                == .failed(
                    TLSError(
                        .clientCertificateMissing,
                        "The server requires a client certificate. Set one, and its private key.")))
        #expect(pair.clientWrite([1]).failure == .clientCertificateMissing)
    }

    @Test(arguments: [false, true])
    func writeToAServerThatLeftReportsItsReason(isTCP: Bool) throws {
        let sockets = try isTCP ? SocketPair(tcp: ()) : SocketPair()
        let pair = try TLSClientPair(
            presenting(nil, .tls13), fixture.server(clientCertificates: .required), sockets: sockets)
        #expect(pair.handshake().client == .done)
        sockets.closeServer()
        // The first write after an end of stream may still be accepted by TCP.
        var outcome = pair.clientWrite([1])
        for _ in 0..<1000 {
            guard case .ok = outcome else { break }
            outcome = pair.clientWrite([1])
        }
        #expect(outcome.failure == .clientCertificateMissing)
        #expect(pair.clientWrite([1]).failure == .clientCertificateMissing)
        #expect(pair.clientRead().outcome.failure == .clientCertificateMissing)
    }

    @Test(arguments: TLSVersion.allCases)
    func rejectedClientCertificateIsReported(_ version: TLSVersion) throws {
        let stranger = try TestCertificates(authorityName: "Another authority")
        let pair = try TLSClientPair(
            presenting(stranger.client, version), fixture.server(clientCertificates: .required))
        let outcome = pair.handshake()
        #expect(outcome.server.failure == .clientCertificateRejected)
        if version == .tls13 {
            #expect(pair.clientRead().outcome.failure == .clientCertificateRejected)
        } else {
            #expect(outcome.client.failure == .clientCertificateRejected)
        }
    }
}
