import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSHostilePeerTests {
    let fixture: TLSFixture
    let context: TLSContext

    init() throws {
        fixture = try TLSFixture()
        context = try TLSContext(fixture.configuration())
    }

    private func handshake(after bytes: [UInt8]) throws -> TLSEngine.HandshakeOutcome {
        let sockets = try SocketPair()
        let engine = try TLSEngine(context: context, fd: sockets.server, through: TLSSocketBIO())
        try sockets.sendAsClient(bytes)
        return engine.handshake()
    }

    private func clientHello() throws -> [UInt8] {
        let sockets = try SocketPair()
        let client = try TLSTestClient(fd: sockets.server, options: fixture.options())
        try #require(client.stepHandshake() == .wantRead)
        return sockets.receiveAsClient()
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n"])
    func plainHTTPIsRecognised(_ request: String) throws {
        #expect(try handshake(after: Array(request.utf8)).failure == .plainHTTP)
    }

    @Test(arguments: ["OPTIONS / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0\0\0\0\0\0\0\0\0\0"])
    func otherProtocolsAreNotTLS(_ greeting: String) throws {
        #expect(try handshake(after: Array(greeting.utf8)).failure == .notTLS)
    }

    @Test func failureIsFinal() throws {
        let pair = try TLSPair(context, fixture.options())
        try pair.sockets.sendAsClient(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(pair.engine.handshake().failure == .plainHTTP)
        #expect(pair.engine.handshake().failure == .plainHTTP)
        #expect(pair.serverRead().outcome.failure == .plainHTTP)
        #expect(pair.serverWrite([1]).failure == .plainHTTP)
        #expect(pair.engine.pendingBytes == 0)
        pair.engine.shutdown()
        #expect(pair.engine.handshake().failure == .plainHTTP)
    }

    @Test func randomBytesNeverMakeAConnection() throws {
        var random = SplitMix64(seed: 0x71A5)
        for _ in 0..<300 {
            let count = Int.random(in: 1...600, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(try handshake(after: bytes) != .done, "\(bytes)")
        }
    }

    @Test func damagedClientHelloNeverMakesAConnection() throws {
        var random = SplitMix64(seed: 0xC11E)
        let hello = try clientHello()
        for _ in 0..<300 {
            var bytes = hello
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random) / 8)
            #expect(try handshake(after: bytes) != .done, "\(bytes)")
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func forgedRecordEndsTheConnection(_ version: TLSVersion) throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only })
        try pair.exchange()
        // An application data record of 32 bytes that was not encrypted with the session's key.
        try pair.sockets.sendAsClient([0x17, 0x03, 0x03, 0x00, 0x20] + [UInt8](repeating: 0x55, count: 32))
        #expect(pair.serverRead().outcome.failure == .protocolViolation)
        #expect(pair.serverWrite([1]).failure == .protocolViolation)
    }

    @Test func oversizedRecordEndsTheConnection() throws {
        let pair = try TLSPair.connected(context, fixture.options())
        try pair.exchange()
        try pair.sockets.sendAsClient([0x17, 0x03, 0x03, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 20_000))
        #expect(pair.serverRead().outcome.failure == .protocolViolation)
    }

    @Test func renegotiationIsDeclined() throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = TLSVersion.tls12.only })
        try pair.exchange()
        #expect(pair.client.stepRenegotiation() == .wantRead)
        #expect(pair.serverRead().outcome == .wantRead)
        #expect(pair.client.stepHandshake() == .failed("no renegotiation"))
    }

    @Test func keyUpdatesAmongDataAreFine() throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = TLSVersion.tls13.only })
        for _ in 0..<(2 * TLSEngine.controlRecordsMax) {
            #expect(pair.client.stepKeyUpdate() == .ok(0))
            try pair.exchange()
        }
    }

    @Test func keyUpdatesWithoutDataEndTheConnection() throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = TLSVersion.tls13.only })
        // Each of these requires an answer, and so counts twice.
        for _ in 0..<(TLSEngine.controlRecordsMax / 2) { #expect(pair.client.stepKeyUpdate() == .ok(0)) }
        #expect(pair.serverRead().outcome == .wantRead)
        for _ in 0..<2 { #expect(pair.client.stepKeyUpdate() == .ok(0)) }
        #expect(pair.serverRead().outcome.failure == .tooManyControlRecords)
        #expect(pair.serverWrite([1]).failure == .tooManyControlRecords)
    }

    @Test func keyUpdateAnswerWaitsForAFullSocket() throws {
        let options = fixture.options { $0.version = TLSVersion.tls13.only }
        let pair = try TLSPair.connected(context, options, bufferBytes: 1)
        let bytes = [UInt8](repeating: 3, count: 1000)
        var written = 0
        while case .ok(let count) = pair.serverWrite(bytes) { written += count }
        #expect(pair.client.stepKeyUpdate() == .ok(0))
        #expect(pair.clientWrite([9]) == .ok(1))
        // The answer has to wait behind the blocked record, and must not corrupt it.
        var received = 0
        var fromClient: [UInt8] = []
        var isStuckRecordSent = false
        for _ in 0..<100 where received < written + bytes.count || fromClient.isEmpty {
            fromClient += pair.serverRead().bytes
            if !isStuckRecordSent, case .ok(let count) = pair.serverWrite(bytes) {
                isStuckRecordSent = true
                #expect(count == bytes.count)
            }
            while case (.ok(let count), let bytes) = pair.clientRead() {
                received += count
                #expect(bytes.allSatisfy { $0 == 3 })
            }
        }
        #expect(fromClient == [9])
        #expect(received == written + bytes.count)
    }
}

/// A small generator with a seed, so that a failure can be repeated.
private struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
