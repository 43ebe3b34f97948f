import GoHubCore
import GoHubTestSupport
import Logging
import Synchronization
import Testing

@testable import GoHubWire

/// A hub on a free loopback port for the duration of a test.
struct ServerFixture {
    let server: HubServer
    let certificates: TestCertificates?
    let loops: Int

    var port: UInt16 { server.port }

    /// Runs a test against a server, in development mode unless a verifier is given, and stops it.
    static func run(
        isTLS: Bool = false, limits: Limits = .patient, context: SessionContext? = nil,
        verifier: (any TokenVerifier)? = nil,
        store: any MessageStore = InMemoryMessageStore(), bus: ServerBus? = nil, logger: Logger? = nil,
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ test: (ServerFixture) async throws -> Void
    ) async throws {
        await TestGate.servers.enter()
        defer { TestGate.servers.leave() }
        let address = try #require(ListenAddress("127.0.0.1:0"))
        var configuration = ServerConfiguration(listen: address)
        configuration.loops = 2
        configuration.headTimeout = 60_000
        let certificates = isTLS ? try TestCertificates() : nil
        if let certificates {
            configuration.tls = try TLSReloader(
                TLSConfiguration(
                    certificateChainPath: certificates.server.chainPath,
                    privateKeyPath: certificates.server.keyPath))
        }
        configure(&configuration)
        var quiet = Logger(label: "test")
        quiet.logLevel = .critical
        let context =
            context
            ?? SessionContext(
                limits: limits, authentication: verifier == nil ? .development : .token, limiter: .unlimited)
        let server = HubServer(
            configuration, context: context, store: store, verifier: verifier, bus: bus, logger: logger ?? quiet)
        try server.start()
        do {
            try await test(ServerFixture(server: server, certificates: certificates, loops: configuration.loops))
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// A connected client, TLS included, that has sent nothing yet.
    func client(receiveBytes: Int32? = nil) async throws -> WebSocketTestClient {
        let client = try WebSocketTestClient(port: port, receiveBytes: receiveBytes)
        if let options = tlsOptions { try await client.startTLS(options) }
        return client
    }

    /// The answer to a handshake.
    func answer(path: String = "/v1/ws", fields: [String] = [], subprotocols: [String] = ["gohub.v1"]) async throws
        -> String
    {
        let client = try await self.client()
        return try await client.open(path: path, fields: fields, subprotocols: subprotocols)
    }

    func status(path: String = "/v1/ws", fields: [String] = []) async throws -> String {
        try await answer(path: path, fields: fields).status
    }

    var tlsOptions: TLSTestClient.Options? { certificates.map { TLSTestClient.Options(caPath: $0.caPath) } }

    /// Returns when a condition holds, and fails if it doesn't in time.
    ///
    /// Between two checks the other tests may run, so a busy machine makes few checks in a long time. The wait ends
    /// only after both a number of checks and a time.
    func until(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        let end = MonotonicTime.now() + 60_000
        var looks = 0
        while MonotonicTime.now() < end || looks < 100 {
            if try await condition() { return }
            looks += 1
            // Other tests need the processor too.
            for _ in 0..<20 { await Task.yield() }
        }
        Issue.record(what, sourceLocation: sourceLocation)
    }

    /// Whether a condition holds for any connection, checked on its own loop.
    func anyConnection(_ predicate: @escaping @Sendable (Connection) -> Bool) async -> Bool {
        for index in 0..<loops {
            if await server.ask(index, orElse: false, { $0.connections.values.contains(where: predicate) }) {
                return true
            }
        }
        return false
    }

    /// A client that has opened its WebSocket.
    func connect(receiveBytes: Int32? = nil, fields: [String] = []) async throws -> WebSocketTestClient {
        let client = try await self.client(receiveBytes: receiveBytes)
        let head = try await client.open(fields: fields)
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        return client
    }

    /// A client that is welcomed and in a room.
    func join(
        _ room: String = "lobby", as user: String, device: String = "d1", receiveBytes: Int32? = nil
    ) async throws -> WebSocketTestClient {
        let client = try await connect(receiveBytes: receiveBytes)
        try await client.hello(user, device: device)
        try await client.join(room)
        return client
    }
}

extension Limits {
    /// Has time to send hello on a machine that is busy with other tests.
    static var patient: Limits {
        var limits = Limits()
        limits.helloTimeout = 60_000
        // A client of these tests answers a ping when it reads next.
        limits.heartbeatGrace = 120_000
        return limits
    }
}

/// Limits the tests that run at the same time: they run in parallel, but must not starve each other.
final class TestGate: Sendable {
    static let servers = TestGate(4)

    private struct State {
        var slots: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ slots: Int) {
        state = Mutex(State(slots: slots))
    }

    func enter() async {
        await withCheckedContinuation { continuation in
            let mayEnter = state.withLock { state in
                guard state.slots == 0 else {
                    state.slots -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if mayEnter { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.slots += 1
            return nil
        }
        next?.resume()
    }
}

extension RateLimiter {
    static var unlimited: RateLimiter { RateLimiter(.unlimited) }
}

extension WebSocketTestClient {
    /// An HTTP response that ends with the connection.
    func readAnswer() async throws -> String {
        String(decoding: try await readToEnd(), as: UTF8.self)
    }

    func readAnswerStatus() async throws -> String { try await readAnswer().status }
    func readStatus() async throws -> String { try await readHead().status }
}

extension String {
    /// The status of an HTTP response.
    var status: String { split(separator: " ", maxSplits: 2).dropFirst().first.map(String.init) ?? "" }
}
