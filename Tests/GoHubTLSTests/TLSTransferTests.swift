import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSTransferTests {
    let fixture: TLSFixture
    let context: TLSContext

    init() throws {
        fixture = try TLSFixture()
        context = try TLSContext(fixture.configuration())
    }

    private static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: TLSVersion.allCases)
    func muchDataFromTheServerThroughASmallSocket(_ version: TLSVersion) throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only }, bufferBytes: 1)
        let sent = Self.pattern(1_000_000)
        var received: [UInt8] = []
        var rest = sent[...]
        var waits = 0
        var last: [UInt8] = []
        while received.count < sent.count {
            // The bytes move in memory between attempts: the previous array still exists when the next one is made.
            let moved = Array(rest.prefix(100_000))
            defer { last = moved }
            switch pair.serverWrite(moved) {
            case .ok(let count): rest = rest.dropFirst(count)
            case .wantWrite: waits += 1
            case let outcome: try #require(rest.isEmpty, "\(outcome)")
            }
            while case (.ok, let bytes) = pair.clientRead() { received += bytes }
        }
        #expect(received == sent)
        withExtendedLifetime(last) {}
        #expect(waits > 0)
    }

    @Test(arguments: TLSVersion.allCases)
    func muchDataFromTheClientThroughASmallSocket(_ version: TLSVersion) throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only }, bufferBytes: 1)
        let sent = Self.pattern(1_000_000)
        var received: [UInt8] = []
        var waits = 0
        var rest = sent[...]
        while received.count < sent.count {
            switch pair.clientWrite(Array(rest.prefix(100_000))) {
            case .ok(let count): rest = rest.dropFirst(count)
            case .wantWrite: waits += 1
            case let step: try #require(rest.isEmpty, "\(step)")
            }
            while case (.ok, let bytes) = pair.serverRead() { received += bytes }
        }
        #expect(received == sent)
        #expect(waits > 0)
    }

    @Test func recordIsReadInPieces() throws {
        let pair = try TLSPair.connected(context, fixture.options())
        let sent = Self.pattern(1000)
        #expect(pair.clientWrite(sent) == .ok(1000))
        var received: [UInt8] = []
        for taken in 1...1000 {
            let (outcome, bytes) = pair.serverRead(upTo: 1)
            #expect(outcome == .ok(1))
            received += bytes
            #expect(pair.engine.pendingBytes == 1000 - taken)
        }
        #expect(received == sent)
        #expect(pair.serverRead(upTo: 1).outcome == .wantRead)
    }

    @Test func writeTakesOneRecordAtATime() throws {
        let pair = try TLSPair.connected(context, fixture.options())
        #expect(pair.serverWrite(Self.pattern(40_000)) == .ok(16_384))
        #expect(pair.clientRead().bytes == Self.pattern(16_384))
    }

    @Test func emptyBuffersAreNoOperation() throws {
        let pair = try TLSPair.connected(context, fixture.options())
        #expect(pair.serverRead(upTo: 0).outcome == .ok(0))
        #expect(pair.serverWrite([]) == .ok(0))
        try pair.exchange()
    }
}

// MARK: - Endings

extension TLSTransferTests {
    @Test(arguments: TLSVersion.allCases)
    func closeNotifyFromTheClientEndsReadingOnly(_ version: TLSVersion) throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only })
        try pair.exchange()
        #expect(pair.clientWrite([7]) == .ok(1))
        pair.client.close()
        #expect(pair.serverRead().bytes == [7])
        #expect(pair.serverRead().outcome == .closed)
        #expect(pair.serverRead().outcome == .closed)
        #expect(pair.serverWrite([8]) == .ok(1))
        pair.engine.shutdown()
        #expect(pair.serverWrite([9]) == .closed)
        #expect(pair.clientRead().bytes == [8])
        #expect(pair.clientRead().step == .closed)
    }

    @Test(arguments: TLSVersion.allCases)
    func shutdownTellsTheClient(_ version: TLSVersion) throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only })
        try pair.exchange()
        pair.engine.shutdown()
        pair.engine.shutdown()
        #expect(pair.clientRead().step == .closed)
        #expect(pair.serverRead().outcome == .closed)
        #expect(pair.serverWrite([1]) == .closed)
        #expect(pair.engine.handshake() == .closed)
    }

    @Test func shutdownDoesNotWaitForAFullSocket() throws {
        let pair = try TLSPair.connected(context, fixture.options(), bufferBytes: 1)
        let bytes = Self.pattern(16_384)
        while pair.serverWrite(bytes) != .wantWrite {}
        pair.engine.shutdown()
        #expect(pair.serverWrite(bytes) == .closed)
    }

    @Test func shutdownBeforeTheHandshakeSendsNothing() throws {
        let sockets = try SocketPair()
        let engine = try TLSEngine(context: context, fd: sockets.server, through: TLSSocketBIO())
        engine.shutdown()
        #expect(engine.handshake() == .closed)
        #expect(sockets.receiveAsClient() == [])
    }

    @Test(arguments: TLSVersion.allCases)
    func endOfStreamWithoutCloseNotify(_ version: TLSVersion) throws {
        let pair = try TLSPair.connected(context, fixture.options { $0.version = version.only })
        try pair.exchange()
        pair.sockets.closeClient()
        #expect(pair.serverRead().outcome == .closed)
        #expect(pair.serverWrite([1]) == .closed)
        pair.engine.shutdown()
    }

    @Test func writingToAPeerThatLeft() throws {
        let pair = try TLSPair.connected(context, fixture.options())
        pair.sockets.closeClient()
        #expect(pair.serverWrite([1]) == .closed)
        #expect(pair.serverRead().outcome == .closed)
    }

    @Test func reset() throws {
        let pair = try TLSPair.connected(context, fixture.options(), sockets: SocketPair(tcp: ()))
        try pair.exchange()
        pair.sockets.resetClient()
        #expect(pair.serverRead().outcome == .closed)
    }

    @Test func clientLeavesInTheHandshake() throws {
        let pair = try TLSPair(context, fixture.options())
        #expect(pair.client.stepHandshake() == .wantRead)
        #expect(pair.engine.handshake() == .wantRead)
        pair.sockets.closeClient()
        #expect(pair.engine.handshake() == .closed)
        #expect(pair.serverRead().outcome == .closed)
    }

    @Test func invalidSocketIsASystemError() throws {
        let engine = try TLSEngine(context: context, fd: -1, through: TLSSocketBIO())
        #expect(engine.handshake().failure == .system)
        #expect(engine.handshake().failure == .system)
    }
}
