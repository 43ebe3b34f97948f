import CGoHubOpenSSL
import GoHubTestSupport
import Testing

@testable import GoHubTLS

/// A client's connection and a server's engine at the ends of a `SocketPair`, driven in turn on one thread.
final class TLSClientPair {
    let sockets: SocketPair
    let client: TLSClientConnection
    let server: TLSEngine

    init(
        _ clientContext: TLSClientContext, _ serverContext: TLSContext, host: String = "localhost",
        sockets: SocketPair? = nil, bufferBytes: Int32? = nil
    ) throws {
        let sockets = try sockets ?? SocketPair(bufferBytes: bufferBytes)
        self.sockets = sockets
        client = try TLSClientConnection(context: clientContext, host: host, descriptor: sockets.client)
        server = try TLSEngine(context: serverContext, fd: sockets.server, through: TLSSocketBIO())
    }

    /// Runs both sides until each has succeeded or failed, or neither can continue.
    @discardableResult
    func handshake() -> (client: TLSClientConnection.HandshakeOutcome, server: TLSEngine.HandshakeOutcome) {
        var client = TLSClientConnection.HandshakeOutcome.wantRead
        var server = TLSEngine.HandshakeOutcome.wantRead
        for _ in 0..<100 {
            if client == .wantRead || client == .wantWrite { client = self.client.handshake() }
            if server == .wantRead || server == .wantWrite { server = self.server.handshake() }
        }
        return (client, server)
    }

    func clientRead(upTo count: Int = 65_536) -> (outcome: TLSEngine.Outcome, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let outcome = bytes.withUnsafeMutableBytes { client.read(into: $0) }
        guard case .ok(let count) = outcome else { return (outcome, []) }
        return (outcome, Array(bytes.prefix(count)))
    }

    func clientWrite(_ bytes: [UInt8]) -> TLSEngine.Outcome {
        bytes.withUnsafeBytes { client.write($0) }
    }

    func serverRead(upTo count: Int = 65_536) -> (outcome: TLSEngine.Outcome, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let outcome = bytes.withUnsafeMutableBytes { server.read(into: $0) }
        guard case .ok(let count) = outcome else { return (outcome, []) }
        return (outcome, Array(bytes.prefix(count)))
    }

    func serverWrite(_ bytes: [UInt8]) -> TLSEngine.Outcome {
        bytes.withUnsafeBytes { server.write($0) }
    }

    /// One byte each way.
    func exchange() throws {
        try #require(clientWrite([1]) == .ok(1))
        try #require(serverRead().bytes == [1])
        try #require(serverWrite([2]) == .ok(1))
        try #require(clientRead().bytes == [2])
    }
}

/// Certificates, and factories for the contexts of both sides.
struct TLSClientFixture {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
    }

    func settings(_ change: (inout TLSClientSettings) -> Void = { _ in }) -> TLSClientSettings {
        var settings = TLSClientSettings(authoritiesPath: certificates.caPath)
        change(&settings)
        return settings
    }

    /// A client's context that allows one version only, if given.
    func client(
        _ version: TLSVersion? = nil, _ change: (inout TLSClientSettings) -> Void = { _ in }
    ) throws -> TLSClientContext {
        let context = try TLSClientContext(settings(change))
        if let version {
            let number = Int32(version.only.lowerBound)
            try #require(gohub_SSL_CTX_set_min_proto_version(context.pointer, number) == 1)
            try #require(gohub_SSL_CTX_set_max_proto_version(context.pointer, number) == 1)
        }
        return context
    }

    func server(
        _ pair: TestCertificates.Pair? = nil, clientCertificates: TLSConfiguration.ClientCertificates = .none
    ) throws -> TLSContext {
        let pair = pair ?? certificates.server
        return try TLSContext(
            TLSConfiguration(
                certificateChainPath: pair.chainPath, privateKeyPath: pair.keyPath,
                clientCAPath: clientCertificates == .none ? nil : certificates.caPath,
                clientCertificates: clientCertificates))
    }

    /// A pair whose handshake has succeeded.
    func connected(
        _ client: TLSClientContext? = nil, _ server: TLSContext? = nil, host: String = "localhost",
        sockets: SocketPair? = nil, bufferBytes: Int32? = nil
    ) throws -> TLSClientPair {
        let pair = try TLSClientPair(
            client ?? self.client(), server ?? self.server(), host: host, sockets: sockets, bufferBytes: bufferBytes)
        let outcome = pair.handshake()
        try #require(outcome.client == .done)
        try #require(outcome.server == .done)
        return pair
    }
}

extension TLSClientConnection.HandshakeOutcome {
    var failure: TLSError.Code? {
        guard case .failed(let error) = self else { return nil }
        return error.code
    }
}
