import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSHandshakeTests {
    let fixture: TLSFixture

    init() throws {
        fixture = try TLSFixture()
    }

    @Test(arguments: TLSVersion.allCases)
    func bothVersionsAreSpoken(_ version: TLSVersion) throws {
        let context = try TLSContext(fixture.configuration())
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only })
        #expect(pair.engine.protocolVersion == version)
        #expect(pair.client.version == "TLSv\(version.rawValue)")
        #expect(pair.engine.cipher?.contains("GCM") == true)
        #expect(pair.engine.negotiatedALPN == "http/1.1")
        #expect(pair.engine.peerCertificateSubject == nil)
        #expect(!pair.engine.isResumed)
        try pair.exchange()
    }

    @Test func tls11IsRefused() throws {
        let pair = try TLSPair(TLSContext(fixture.configuration()), fixture.options { $0.version = 0x0302...0x0302 })
        let outcome = pair.handshake()
        #expect(outcome.server.failure == .unsupportedVersion)
        #expect(outcome.client == .failed("tlsv1 alert protocol version"))
    }

    @Test func minimumVersionIsKept() throws {
        let context = try TLSContext(fixture.configuration(minimumVersion: .tls13))
        let pair = try TLSPair(context, fixture.options { $0.version = TLSVersion.tls12.only })
        #expect(pair.handshake().server.failure == .unsupportedVersion)
    }

    @Test(arguments: TLSVersion.allCases)
    func http11IsPickedFromAnOffer(_ version: TLSVersion) throws {
        let options = fixture.options {
            $0.version = version.only
            $0.protocols = ["h2", "http/1.1", "http/1.0"]
        }
        let pair = try TLSPair.connected(TLSContext(fixture.configuration()), options)
        #expect(pair.engine.negotiatedALPN == "http/1.1")
    }

    @Test func clientWithoutALPNIsServed() throws {
        let context = try TLSContext(fixture.configuration())
        let pair = try TLSPair.connected(context, fixture.options { $0.protocols = [] })
        #expect(pair.engine.negotiatedALPN == nil)
        try pair.exchange()
    }

    @Test(arguments: [["h2"], ["http/1.0", "http/1.11", "http/1.", "x"]])
    func offerWithoutHTTP11IsRefused(_ protocols: [String]) throws {
        let context = try TLSContext(fixture.configuration())
        let pair = try TLSPair(context, fixture.options { $0.protocols = protocols })
        let outcome = pair.handshake()
        #expect(outcome.server.failure == .noApplicationProtocol)
        #expect(outcome.client == .failed("tlsv1 alert no application protocol"))
    }

    @Test(arguments: ["GoHub test authority", "Another authority"])
    func suspiciousClientGivesUpWithAnAlert(_ authorityName: String) throws {
        let stranger = try TestCertificates(authorityName: authorityName)
        let context = try TLSContext(fixture.configuration())
        let pair = try TLSPair(context, fixture.options { $0.caPath = stranger.caPath })
        let outcome = pair.handshake()
        #expect(outcome.client == .failed("certificate verify failed"))
        #expect(outcome.server.failure == .alertReceived)
    }

    @Test func tinySocketBuffersOnlyNeedMoreTurns() throws {
        let pair = try TLSPair.connected(TLSContext(fixture.configuration()), fixture.options(), bufferBytes: 1)
        try pair.exchange()
    }

    @Test func clientHelloMayComeByteByByte() throws {
        let sockets = try SocketPair()
        let relay = try SocketPair()
        let engine = try TLSEngine(
            context: TLSContext(fixture.configuration()), fd: sockets.server, through: TLSSocketBIO())
        let client = try TLSTestClient(fd: relay.server, options: fixture.options())
        #expect(client.stepHandshake() == .wantRead)
        for byte in relay.receiveAsClient() {
            #expect(sockets.receiveAsClient() == [])
            #expect(engine.handshake() == .wantRead)
            try sockets.sendAsClient([byte])
        }
        #expect(engine.handshake() == .wantRead)
        try relay.sendAsClient(sockets.receiveAsClient())
        #expect(client.stepHandshake() == .ok(0))
        try sockets.sendAsClient(relay.receiveAsClient())
        #expect(engine.handshake() == .done)
    }

    @Test func transferNeedsCompletedHandshake() throws {
        let pair = try TLSPair(TLSContext(fixture.configuration()), fixture.options())
        #expect(pair.serverRead().outcome == .wantRead)
        #expect(pair.serverWrite([1]) == .wantWrite)
        #expect(pair.engine.pendingBytes == 0)
        #expect(pair.engine.protocolVersion == nil)
    }
}

// MARK: - Resumption

extension TLSHandshakeTests {
    @Test(arguments: TLSVersion.allCases)
    func ticketResumesASession(_ version: TLSVersion) throws {
        let context = try TLSContext(fixture.configuration())
        let first = try TLSPair.connected(context, fixture.options { $0.version = version.only })
        try first.exchange()
        let session = try #require(first.client.resumableSession)

        let options = fixture.options {
            $0.version = version.only
            $0.session = session
        }
        let second = try TLSPair.connected(context, options)
        #expect(second.engine.isResumed)
        #expect(second.client.isResumed)
        #expect(second.engine.negotiatedALPN == "http/1.1")
        try second.exchange()
    }

    @Test(arguments: TLSVersion.allCases)
    func ticketOfAnotherContextMeansAFullHandshake(_ version: TLSVersion) throws {
        let first = try TLSPair.connected(
            TLSContext(fixture.configuration()), fixture.options { $0.version = version.only }
        )
        try first.exchange()
        let session = try #require(first.client.resumableSession)

        let options = fixture.options {
            $0.version = version.only
            $0.session = session
        }
        let second = try TLSPair.connected(TLSContext(fixture.configuration()), options)
        #expect(!second.engine.isResumed)
        try second.exchange()
    }

    @Test(arguments: TLSVersion.allCases)
    func resumedSessionRemembersTheClientCertificate(_ version: TLSVersion) throws {
        let context = try TLSContext(fixture.configuration(clientCertificates: .required))
        var options = fixture.options {
            $0.version = version.only
            $0.certificate = fixture.certificates.client
        }
        let first = try TLSPair.connected(context, options)
        try first.exchange()
        let session: TLSTestClient.Session = try #require(first.client.resumableSession)
        options.session = session
        options.certificate = nil
        let second = try TLSPair.connected(context, options)
        #expect(second.engine.isResumed)
        #expect(second.engine.peerCertificateSubject == "CN=client")
    }
}

// MARK: - Client certificates

extension TLSHandshakeTests {
    @Test(arguments: TLSVersion.allCases)
    func clientCertificateIsVerifiedAndNamed(_ version: TLSVersion) throws {
        let context = try TLSContext(fixture.configuration(clientCertificates: .required))
        let options = fixture.options {
            $0.version = version.only
            $0.certificate = fixture.certificates.client
        }
        let pair = try TLSPair.connected(context, options)
        #expect(pair.engine.peerCertificateSubject == "CN=client")
    }

    @Test(arguments: TLSVersion.allCases)
    func missingClientCertificateIsRefusedIfRequired(_ version: TLSVersion) throws {
        let context = try TLSContext(fixture.configuration(clientCertificates: .required))
        let pair = try TLSPair(context, fixture.options { $0.version = version.only })
        #expect(pair.handshake().server.failure == .clientCertificateMissing)
        #expect(pair.serverWrite([1]).failure == .clientCertificateMissing)
    }

    @Test func missingClientCertificateIsFineIfOptional() throws {
        let context = try TLSContext(fixture.configuration(clientCertificates: .optional))
        let pair = try TLSPair.connected(context, fixture.options())
        #expect(pair.engine.peerCertificateSubject == nil)
        try pair.exchange()
    }

    @Test(
        arguments: [TLSConfiguration.ClientCertificates.optional, .required],
        ["GoHub test authority", "Another authority"]
    )
    func clientCertificateOfAStrangerIsRefused(
        _ mode: TLSConfiguration.ClientCertificates, authorityName: String
    ) throws {
        let stranger = try TestCertificates(authorityName: authorityName)
        let context = try TLSContext(fixture.configuration(clientCertificates: mode))
        let pair = try TLSPair(context, fixture.options { $0.certificate = stranger.client })
        #expect(pair.handshake().server.failure == .clientCertificateRejected)
    }

    @Test func serverCertificateIsNoClientCertificate() throws {
        let context = try TLSContext(fixture.configuration(clientCertificates: .required))
        let pair = try TLSPair(context, fixture.options { $0.certificate = fixture.certificates.server })
        #expect(pair.handshake().server.failure == .clientCertificateRejected)
    }

    @Test func expiredClientCertificateIsRefused() throws {
        let expired = try fixture.certificates.issue(
            named: "expired", commonName: "client", for: .client, notAfterSeconds: -60
        )
        let context = try TLSContext(fixture.configuration(clientCertificates: .required))
        let pair = try TLSPair(context, fixture.options { $0.certificate = expired })
        #expect(
            pair.handshake().server
                == .failed(
                    TLSError(
                        .clientCertificateRejected, "The client's certificate was rejected: certificate has expired."
                    )
                )
        )
    }
}
