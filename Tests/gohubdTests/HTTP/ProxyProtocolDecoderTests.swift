import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import GoHubHTTPSyntax

/// Headers as specified by the PROXY protocol, version 2, section 2.2.
enum ProxyHeaders {
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    static func make(_ versionAndCommand: UInt8, _ family: UInt8, _ payload: [UInt8]) -> [UInt8] {
        signature + [versionAndCommand, family, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
    }

    static let v4 = make(0x21, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 0x01, 0xBB])
    static let v6 = make(
        0x21, 0x21,
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [9] + [UInt8](repeating: 0, count: 15)
            + [1, 0x30, 0x39, 0, 80])
    /// A TLV (type, length, value) after the addresses.
    static let v4WithAddition = make(
        0x21, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 0x01, 0xBB, 0x01, 0, 2, 0x68, 0x32])
    /// Two TLVs, the second of which (`PP2_TYPE_SSL`, section 2.2.6) says that the client came over TLS.
    static let v4WithTLS = make(
        0x21, 0x11,
        [192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 0x01, 0xBB, 0x01, 0, 2, 0x68, 0x32, 0x20, 0, 5, 1, 0, 0, 0, 1])
    /// The same for a client without TLS, and a truncated one.
    static let v4WithoutTLS = make(
        0x21, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 0x01, 0xBB, 0x20, 0, 5, 0, 0, 0, 0, 1])
    static let v4WithCutTLS = make(
        0x21, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 0x01, 0xBB, 0x20, 0, 5, 1])
    static let local = make(0x20, 0x00, [])
    static let localWithPayload = make(0x20, 0x11, [1, 2, 3])
    static let unspecified = make(0x21, 0x00, [])
    static let unix = make(0x21, 0x31, [UInt8](repeating: 0x2F, count: 216))
}

@Suite struct ProxyProtocolDecoderTests {
    private struct Outcome: Equatable {
        var peer: String?
        var failure: ProxyProtocolDecoder.Failure?
        var passedOn: [UInt8]
        var isClosed: Bool
    }

    /// Feeds the pieces one after the other.
    private func decode(_ pieces: [[UInt8]], ends: Bool = false) throws -> Outcome {
        let channel = EmbeddedChannel()
        let promise = channel.eventLoop.makePromise(of: ProxiedClient.self)
        var outcome = Outcome(passedOn: [], isClosed: false)
        let result = Box()
        promise.futureResult.whenComplete { value in result.value.withLock { $0 = value } }
        try channel.pipeline.syncOperations.addHandler(ProxyProtocolDecoder(client: promise))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        for piece in pieces where channel.isActive { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        outcome.isClosed = !channel.isActive
        while let buffer = try channel.readInbound(as: ByteBuffer.self) { outcome.passedOn += buffer.readableBytesView }
        if ends || !outcome.isClosed { _ = try? channel.finish(acceptAlreadyClosed: true) }
        switch result.value.withLock({ $0 }) {
        case .success(let client):
            let address = client.address.map { "\($0.ipAddress ?? "?") \($0.port ?? 0)" } ?? "none"
            outcome.peer = client.isTLS ? address + " over TLS" : address
        case .failure(let error): outcome.failure = error as? ProxyProtocolDecoder.Failure
        case nil: break
        }
        return outcome
    }

    private final class Box: Sendable {
        let value = Mutex<Result<ProxiedClient, any Error>?>(nil)
    }

    private static let headers: [(header: [UInt8], peer: String)] = [
        (ProxyHeaders.v4, "192.0.2.7 50000"), (ProxyHeaders.v6, "2001:db8::9 12345"),
        (ProxyHeaders.v4WithAddition, "192.0.2.7 50000"), (ProxyHeaders.v4WithTLS, "192.0.2.7 50000 over TLS"),
        (ProxyHeaders.v4WithoutTLS, "192.0.2.7 50000"), (ProxyHeaders.v4WithCutTLS, "192.0.2.7 50000"),
        (ProxyHeaders.local, "none"),
        (ProxyHeaders.localWithPayload, "none"), (ProxyHeaders.unspecified, "none"), (ProxyHeaders.unix, "none"),
    ]

    @Test(arguments: headers.indices)
    func aHeaderIsReadInAnyTwoPieces(index: Int) throws {
        let (header, peer) = Self.headers[index]
        let request = Array("GET / HTTP/1.1\r\n".utf8)
        let bytes = header + request
        for split in 0...bytes.count {
            let outcome = try decode([Array(bytes[..<split]), Array(bytes[split...])])
            #expect(outcome == Outcome(peer: peer, passedOn: request, isClosed: false), "split at \(split)")
        }
    }

    @Test(arguments: headers.indices)
    func aHeaderIsReadByteByByte(index: Int) throws {
        let (header, peer) = Self.headers[index]
        let request = Array("GET / HTTP/1.1\r\n".utf8)
        let outcome = try decode((header + request).map { [$0] })
        #expect(outcome == Outcome(peer: peer, passedOn: request, isClosed: false))
    }

    @Test func whatFollowsIsNotReadAsAHeaderAgain() throws {
        let outcome = try decode([ProxyHeaders.v4 + ProxyHeaders.v6])
        #expect(outcome.passedOn == ProxyHeaders.v6)
    }

    @Test func aWrongSignatureIsRefusedAtItsFirstWrongByte() throws {
        for index in ProxyHeaders.signature.indices {
            var bytes = Array(ProxyHeaders.v4[...index])
            bytes[index] ^= 0x20
            let outcome = try decode([bytes])
            #expect(outcome == Outcome(failure: .malformed, passedOn: [], isClosed: true), "byte \(index)")
        }
        #expect(try decode([Array("GET / HTTP/1.1\r\n\r\n".utf8)]).failure == .malformed)
        #expect(try decode([Array("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n".utf8)]).failure == .malformed)
    }

    @Test(arguments: [
        // Version 1, version 3, command 2; an unknown family; addresses that don't fit into the length.
        ProxyHeaders.make(0x11, 0x11, [UInt8](repeating: 1, count: 12)),
        ProxyHeaders.make(0x31, 0x11, [UInt8](repeating: 1, count: 12)),
        ProxyHeaders.make(0x22, 0x11, [UInt8](repeating: 1, count: 12)),
        ProxyHeaders.make(0x21, 0x41, [UInt8](repeating: 1, count: 12)),
        ProxyHeaders.make(0x21, 0x11, [UInt8](repeating: 1, count: 11)),
        ProxyHeaders.make(0x21, 0x21, [UInt8](repeating: 1, count: 35)), ProxyHeaders.make(0x21, 0x11, []),
    ])
    func malformedHeaderCloses(header: [UInt8]) throws {
        #expect(try decode([header]) == Outcome(failure: .malformed, passedOn: [], isClosed: true))
        #expect(try decode(header.map { [$0] }) == Outcome(failure: .malformed, passedOn: [], isClosed: true))
    }

    @Test func aLengthAboveTheBoundIsRefusedBeforeThePayloadComes() throws {
        let header = ProxyHeaders.make(
            0x21, 0x11, [UInt8](repeating: 0, count: ProxyProtocolDecoder.payloadBytesMax + 1))
        #expect(try decode([Array(header[..<16])]) == Outcome(failure: .tooLong, passedOn: [], isClosed: true))
        let largest = ProxyHeaders.make(0x20, 0x00, [UInt8](repeating: 0, count: ProxyProtocolDecoder.payloadBytesMax))
        #expect(try decode([largest]) == Outcome(peer: "none", passedOn: [], isClosed: false))
    }

    @Test func truncatedHeaderIsAnError() throws {
        for count in 0..<ProxyHeaders.v4.count {
            let outcome = try decode([Array(ProxyHeaders.v4[..<count])], ends: true)
            #expect(outcome.failure == .truncated, "after \(count) bytes")
        }
    }

    @Test func nothingIsReadAfterARefusal() throws {
        let channel = EmbeddedChannel()
        let promise = channel.eventLoop.makePromise(of: ProxiedClient.self)
        promise.futureResult.whenComplete { _ in }
        try channel.pipeline.syncOperations.addHandler(ProxyProtocolDecoder(client: promise))
        try channel.writeInbound(ByteBuffer(string: "x"))
        channel.pipeline.syncOperations.fireChannelRead(NIOAny(ByteBuffer(bytes: ProxyHeaders.v4 + [1])))
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
    }
}
