import CGoHubOpenSSL
import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

/// What a client does with servers that it must not talk to, and what it tells its operator.
@Suite struct TLSClientRefusalTests {
    let fixture: TLSClientFixture

    init() throws {
        fixture = try TLSClientFixture()
    }

    private func refusal(
        _ client: TLSClientContext? = nil, _ server: TLSContext? = nil, host: String = "localhost"
    ) throws -> TLSError {
        let pair = try TLSClientPair(client ?? fixture.client(), server ?? fixture.server(), host: host)
        let outcome = pair.handshake()
        guard case .failed(let error) = outcome.client else { throw Unexpected() }
        // The alert has told the server, too; and the failure is final.
        #expect(outcome.server.failure == .alertReceived)
        #expect(pair.client.handshake() == .failed(error))
        #expect(pair.clientRead().outcome == .failed(error))
        #expect(pair.clientWrite([1]) == .failed(error))
        return error
    }

    /// The time of verification, without waiting for it.
    private func client(at secondsFromNow: Int, _ version: TLSVersion) throws -> TLSClientContext {
        let context = try fixture.client(version)
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context.pointer), time(nil) + secondsFromNow)
        return context
    }

    @Test(arguments: TLSVersion.allCases)
    func otherNameIsRefused(_ version: TLSVersion) throws {
        #expect(
            try refusal(fixture.client(version), host: "redis.example")
                == TLSError(
                    .serverNameMismatch,
                    "The server's certificate is not valid for redis.example. Connect to a name or address that it is "
                        + "valid for, or set the server name to one."))
    }

    @Test(arguments: [
        ("127.0.0.2", "127.0.0.2"), ("::2", "0:0:0:0:0:0:0:2"), ("::ffff:127.0.0.1", "0:0:0:0:0:FFFF:7F00:1"),
    ])
    func otherAddressIsRefused(_ address: String, text: String) throws {
        let error = try refusal(host: address)
        #expect(error.code == .serverNameMismatch)
        #expect(error.message.contains(" is not valid for \(text). "))
    }

    @Test func subjectIsNoName() throws {
        let unnamed = try fixture.certificates.issue(
            named: "unnamed", commonName: "redis.example", for: .server, alternativeNames: nil)
        #expect(try refusal(nil, fixture.server(unnamed), host: "redis.example").code == .serverNameMismatch)
    }

    @Test func wildcardIsOneWholeLabel() throws {
        let wildcard = try fixture.certificates.issue(
            named: "wildcard", for: .server, alternativeNames: "DNS:*.redis.example,DNS:a*.other.example")
        let server = try fixture.server(wildcard)
        try fixture.connected(nil, server, host: "a.redis.example").exchange()
        for host in ["redis.example", "a.b.redis.example", "ab.other.example"] {
            #expect(try refusal(nil, server, host: host).code == .serverNameMismatch)
        }
    }

    @Test(arguments: ["GoHub test authority", "Another authority"])
    func strangersCertificateIsRefused(_ authorityName: String) throws {
        let stranger = try TestCertificates(authorityName: authorityName)
        let error = try refusal(nil, fixture.server(stranger.server))
        #expect(error.code == .serverCertificateUntrusted)
        #expect(error.message.hasPrefix("No trusted authority has signed the server's certificate: "))
        #expect(error.message.hasSuffix(". Set the file of authorities to that of the authority which signed it."))
    }

    @Test(arguments: TLSVersion.allCases)
    func expiredCertificateIsRefused(_ version: TLSVersion) throws {
        // A day later than the server's certificate, and earlier than the authority's.
        #expect(
            try refusal(client(at: 100_000, version))
                == TLSError(
                    .serverCertificateExpired, "The server's certificate or its authority's has expired. Renew it."))
    }

    @Test func earlyCertificateIsRefused() throws {
        #expect(try refusal(client(at: -5000, .tls13)).code == .serverCertificateNotYetValid)
    }

    @Test func certificateOfAClientIsNoServers() throws {
        let error = try refusal(nil, fixture.server(fixture.certificates.client))
        #expect(error.code == .serverCertificateRejected)
        #expect(error.message.hasPrefix("The server's certificate was rejected: "))
    }

    @Test func oldVersionIsRefused() throws {
        let server = try fixture.server()
        try #require(SSL_CTX_set_cipher_list(server.pointer, "ALL:@SECLEVEL=0") == 1)
        try #require(gohub_SSL_CTX_set_min_proto_version(server.pointer, TLS1_VERSION) == 1)
        try #require(gohub_SSL_CTX_set_max_proto_version(server.pointer, TLS1_1_VERSION) == 1)
        let pair = try TLSClientPair(fixture.client(), server)
        #expect(
            pair.handshake().client
                == .failed(TLSError(.unsupportedVersion, "The server speaks neither TLS 1.2 nor TLS 1.3.")))
    }
}

// MARK: - Servers without TLS

extension TLSClientRefusalTests {
    private func handshake(after bytes: String, isClosed: Bool = false) throws -> TLSClientConnection.HandshakeOutcome {
        let sockets = try SocketPair()
        let connection = try TLSClientConnection(
            context: fixture.client(), host: "localhost", descriptor: sockets.server)
        #expect(connection.handshake() == .wantRead)
        _ = sockets.receiveAsClient()
        try sockets.sendAsClient(Array(bytes.utf8))
        if isClosed { sockets.closeClient() }
        return connection.handshake()
    }

    @Test(
        arguments: [
            "-ERR Protocol error: unbalanced quotes in request\r\n", "-DENIED Redis is running in protected mode\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail.example ESMTP\r\n",
        ], [false, true])
    func plainTextIsRecognised(_ text: String, isClosed: Bool) throws {
        #expect(
            try handshake(after: text, isClosed: isClosed)
                == .failed(
                    TLSError(
                        .notTLS,
                        "The server does not speak TLS on this port. Use its port for TLS, or connect without TLS.")))
    }

    @Test func plainTextAfterTheHandshakeIsAnotherFailure() throws {
        let pair = try fixture.connected(fixture.client(.tls12))
        try pair.exchange()
        let text = Array("-ERR max number of clients reached\r\n".utf8)
        try #require(send(pair.sockets.server, text, text.count, Int32(MSG_NOSIGNAL)) == text.count)
        guard case .failed(let error) = pair.clientRead().outcome else { throw Unexpected() }
        #expect(error.message.hasPrefix("The peer's bytes are not TLS records: "))
    }

    /// An alert about a certificate that the client doesn't have is reported as it is.
    @Test(arguments: [(48, "unknown ca"), (80, "internal error"), (112, "unrecognized name")])
    func alertIsReported(_ description: Int, text: String) throws {
        let sockets = try SocketPair()
        let connection = try TLSClientConnection(
            context: fixture.client(), host: "localhost", descriptor: sockets.server)
        #expect(connection.handshake() == .wantRead)
        try sockets.sendAsClient([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, UInt8(description)])
        guard case .failed(let error) = connection.handshake() else { throw Unexpected() }
        #expect(error.code == .alertReceived)
        #expect(error.message.hasPrefix("The TLS peer sent an alert: ") && error.message.contains(text))
    }

    private struct Unexpected: Error {}

    @Test(arguments: ["", "+OK"])
    func endOfStreamInTheHandshakeIsAFailure(_ text: String) throws {
        #expect(
            try handshake(after: text, isClosed: true)
                == .failed(
                    TLSError(
                        .closedInHandshake,
                        "The server closed the connection in the TLS handshake. Check that it speaks TLS on this port."
                    )))
    }

    @Test func resetInTheHandshakeIsAFailure() throws {
        let sockets = try SocketPair(tcp: ())
        let connection = try TLSClientConnection(
            context: fixture.client(), host: "localhost", descriptor: sockets.server)
        #expect(connection.handshake() == .wantRead)
        sockets.resetClient()
        #expect(connection.handshake().failure == .closedInHandshake)
        #expect(connection.handshake().failure == .closedInHandshake)
    }

    @Test func invalidSocketIsASystemError() throws {
        let connection = try TLSClientConnection(context: fixture.client(), host: "localhost", descriptor: -1)
        #expect(connection.handshake().failure == .system)
    }

    @Test func damagedServerHelloNeverMakesAConnection() throws {
        var random = SeededRandom(seed: 0x5E11)
        for _ in 0..<200 {
            let client = try SocketPair()
            let server = try SocketPair()
            let connection = try TLSClientConnection(
                context: fixture.client(), host: "localhost", descriptor: client.server)
            let engine = try TLSEngine(context: fixture.server(), fd: server.server, through: TLSSocketBIO())
            #expect(connection.handshake() == .wantRead)
            try server.sendAsClient(client.receiveAsClient())
            #expect(engine.handshake() == .wantRead)
            var bytes = server.receiveAsClient()
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] ^= UInt8.random(in: 1...255, using: &random)
            try client.sendAsClient(bytes)
            #expect(connection.handshake() != .done, "byte \(place)")
        }
    }
}
