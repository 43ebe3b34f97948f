import GoHubCore
import GoHubTestSupport
import Logging
import Testing

@testable import GoHubWire

/// A hub on a free loopback port for the length of a test.
struct ServerFixture {
    let server: HubServer
    let certificates: TestCertificates?

    var port: UInt16 { server.port }

    /// Runs a test against a server, in development mode unless a verifier is given, and stops it.
    static func run(
        isTLS: Bool = false, context: SessionContext? = nil, verifier: (any TokenVerifier)? = nil,
        store: any MessageStore = InMemoryMessageStore(),
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ test: (ServerFixture) async throws -> Void
    ) async throws {
        let address = try #require(ListenAddress("127.0.0.1:0"))
        var configuration = ServerConfiguration(listen: address)
        configuration.loops = 2
        let certificates = isTLS ? try TestCertificates() : nil
        if let certificates {
            configuration.tls = try TLSReloader(
                TLSConfiguration(
                    certificateChainPath: certificates.server.chainPath,
                    privateKeyPath: certificates.server.keyPath))
        }
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let context =
            context ?? SessionContext(authentication: verifier == nil ? .development : .token, limiter: .unlimited)
        let server = HubServer(configuration, context: context, store: store, verifier: verifier, logger: logger)
        try server.start()
        do {
            try await test(ServerFixture(server: server, certificates: certificates))
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// A client that has opened its WebSocket.
    func connect(receiveBytes: Int32? = nil, fields: [String] = []) async throws -> WebSocketTestClient {
        let client = try WebSocketTestClient(port: port, receiveBytes: receiveBytes)
        let options = certificates.map { TLSTestClient.Options(caPath: $0.caPath) }
        let head = try await client.open(tls: options, fields: fields)
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

extension RateLimiter {
    static var unlimited: RateLimiter { RateLimiter(.unlimited) }
}
