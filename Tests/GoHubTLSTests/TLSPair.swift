import CGoHubLinux
import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

/// Two ends of a local stream, both non-blocking, closed on deinit.
final class SocketPair {
    private(set) var server: Int32
    private(set) var client: Int32

    /// - Parameter bufferBytes: size of both send buffers; the kernel has a minimum of some KiB.
    init(bufferBytes: Int32? = nil) throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        (server, client) = (ends[0], ends[1])
        if var bufferBytes {
            let size = socklen_t(MemoryLayout<Int32>.size)
            for end in ends { setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bufferBytes, size) }
        }
    }

    /// A TCP connection over loopback, which unlike a local stream can be reset.
    init(tcp: Void) throws {
        let listener = Loopback.socket()
        defer { close(listener) }
        client = Loopback.socket()
        try #require(Loopback.bind(listener) && listen(listener, 1) == 0)
        try #require(Loopback.connect(client, port: Loopback.port(of: listener)))
        server = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        try #require(server >= 0)
        for end in [server, client] { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
    }

    deinit {
        closeServer()
        closeClient()
    }

    func closeServer() {
        guard server >= 0 else { return }
        close(server)
        server = -1
    }

    func closeClient() {
        guard client >= 0 else { return }
        close(client)
        client = -1
    }

    /// Closes with a reset instead of an end of stream.
    func resetClient() {
        Self.setReset(client)
        closeClient()
    }

    func resetServer() {
        Self.setReset(server)
        closeServer()
    }

    private static func setReset(_ end: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(end, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    func sendAsClient(_ bytes: [UInt8]) throws {
        try #require(Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    func receiveAsClient() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(client, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(count, 0)))
    }
}

/// An engine and a client at the ends of a `SocketPair`, driven in turn on one thread.
final class TLSPair {
    let sockets: SocketPair
    let engine: TLSEngine
    let client: TLSTestClient

    init(
        _ context: TLSContext, _ options: TLSTestClient.Options, sockets: SocketPair? = nil, bufferBytes: Int32? = nil
    ) throws {
        let sockets = try sockets ?? SocketPair(bufferBytes: bufferBytes)
        self.sockets = sockets
        engine = try TLSEngine(context: context, fd: sockets.server, through: TLSSocketBIO())
        client = try TLSTestClient(fd: sockets.client, options: options)
    }

    /// Runs both sides until each has succeeded or failed, or neither can continue.
    @discardableResult
    func handshake() -> (server: TLSEngine.HandshakeOutcome, client: TLSTestClient.Step) {
        var server = TLSEngine.HandshakeOutcome.wantRead
        var client = TLSTestClient.Step.wantRead
        // A handshake is two round trips; tiny buffers make more turns of them.
        for _ in 0..<100 {
            if client == .wantRead || client == .wantWrite { client = self.client.stepHandshake() }
            if server == .wantRead || server == .wantWrite { server = engine.handshake() }
        }
        return (server, client)
    }

    /// A pair whose handshake has succeeded.
    static func connected(
        _ context: TLSContext, _ options: TLSTestClient.Options, sockets: SocketPair? = nil, bufferBytes: Int32? = nil
    ) throws -> TLSPair {
        let pair = try TLSPair(context, options, sockets: sockets, bufferBytes: bufferBytes)
        let outcome = pair.handshake()
        try #require(outcome.server == .done)
        try #require(outcome.client == .ok(0))
        return pair
    }

    func serverRead(upTo count: Int = 65_536) -> (outcome: TLSEngine.Outcome, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let outcome = bytes.withUnsafeMutableBytes { engine.read(into: $0) }
        guard case .ok(let count) = outcome else { return (outcome, []) }
        return (outcome, Array(bytes.prefix(count)))
    }

    func serverWrite(_ bytes: [UInt8]) -> TLSEngine.Outcome {
        bytes.withUnsafeBytes { engine.write($0) }
    }

    func clientRead(upTo count: Int = 65_536) -> (step: TLSTestClient.Step, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let step = bytes.withUnsafeMutableBytes { client.stepRead(into: $0) }
        guard case .ok(let count) = step else { return (step, []) }
        return (step, Array(bytes.prefix(count)))
    }

    func clientWrite(_ bytes: [UInt8]) -> TLSTestClient.Step {
        bytes.withUnsafeBytes { client.stepWrite($0) }
    }

    /// One byte each way, after which a TLS 1.3 client also has its ticket.
    func exchange() throws {
        try #require(clientWrite([1]) == .ok(1))
        try #require(serverRead().bytes == [1])
        try #require(serverWrite([2]) == .ok(1))
        try #require(clientRead().bytes == [2])
    }
}

/// Shared helpers: certificates, and factories for a context and for client options.
struct TLSFixture {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
    }

    func configuration(
        clientCertificates: TLSConfiguration.ClientCertificates = .none, minimumVersion: TLSVersion = .tls12
    ) -> TLSConfiguration {
        TLSConfiguration(
            certificateChainPath: certificates.server.chainPath,
            privateKeyPath: certificates.server.keyPath,
            clientCAPath: clientCertificates == .none ? nil : certificates.caPath,
            clientCertificates: clientCertificates,
            minimumVersion: minimumVersion
        )
    }

    func options(_ change: (inout TLSTestClient.Options) -> Void = { _ in }) -> TLSTestClient.Options {
        var options = TLSTestClient.Options(caPath: certificates.caPath)
        change(&options)
        return options
    }
}

extension TLSVersion {
    /// A client's version range with a single version.
    var only: ClosedRange<Int> {
        switch self {
        case .tls12: 0x0303...0x0303
        case .tls13: 0x0304...0x0304
        }
    }
}

extension TLSEngine.HandshakeOutcome {
    var failure: TLSError.Code? {
        guard case .failed(let error) = self else { return nil }
        return error.code
    }
}

extension TLSEngine.Outcome {
    var failure: TLSError.Code? {
        guard case .failed(let error) = self else { return nil }
        return error.code
    }
}
