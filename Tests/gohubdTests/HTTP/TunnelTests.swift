import GoHubCore
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import GoHubConfiguration
@testable import GoHubHTTP
@testable import GoHubWire
@testable import gohubd

/// Hummingbird on its private socket, reached through Wire's tunnel.
@Suite struct TunnelTests {
    private func withService(
        idleTimeoutMs: Int = 30_000, _ test: @escaping @Sendable (_ path: String) async throws -> Void
    ) async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let routes = Routes(cors: CORS(policy: .sameOrigin, isTLS: false), logger: quiet)
        routes.add(
            "/peer",
            [
                .get: { _, context in
                    .json([context.peer?.ipAddress ?? "none", context.peer?.port.map { "\($0)" } ?? "none"])
                }
            ])
        routes.add("/tls", [.get: { _, context in .json(["isTLS": context.isTLS]) }])
        routes.add(
            "/echo",
            [
                .post: { request, _ in
                    let body = try await request.body.collect(upTo: ServerAPI.bodyBytesMax)
                    return Response(status: .ok, body: ResponseBody(byteBuffer: body))
                }
            ])
        let socket = try PrivateSocket()
        defer { socket.remove() }
        let http = HTTPService(
            routes: routes, socket: socket,
            configuration: .init(
                idleTimeout: .init(UInt64(idleTimeoutMs)), connectionsMax: 10), fileBytesMax: nil, logger: quiet)
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [http], logger: quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            _ = await http.waitUntilRunning()
            do {
                try await test(socket.path)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Sends the pieces and reads until the peer closes.
    private func exchange(_ path: String, _ pieces: [[UInt8]]) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            for piece in pieces { try await outbound.write(ByteBuffer(bytes: piece)) }
            var answer = ""
            for try await buffer in inbound { answer += String(buffer: buffer) }
            return answer
        }
    }

    private func request(_ method: String, _ path: String, _ body: String = "") -> [UInt8] {
        let length = body.isEmpty ? "" : "content-length: \(body.utf8.count)\r\n"
        return Array("\(method) \(path) HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\(length)\r\n\(body)".utf8)
    }

    @Test func theClientsAddressReachesTheRequest() async throws {
        try await withService { path in
            let answer = try await exchange(path, [ProxyHeaders.v4, request("GET", "/peer")])
            #expect(answer.hasPrefix("HTTP/1.1 200 OK"))
            #expect(answer.hasSuffix(#"["192.0.2.7","50000"]"#))
            let six = try await exchange(path, (ProxyHeaders.v6 + request("GET", "/peer")).map { [$0] })
            #expect(six.hasSuffix(#"["2001:db8::9","12345"]"#))
            let local = try await exchange(path, [ProxyHeaders.local + request("GET", "/peer")])
            #expect(local.hasSuffix(#"["none","none"]"#))
        }
    }

    @Test func theHeaderIsTheOneThatWireWrites() async throws {
        try await withService { path in
            let client = GoHubWire.SocketAddress(ip: [203, 0, 113, 9], port: 4711)
            let server = GoHubWire.SocketAddress(ip: [UInt8](repeating: 9, count: 16), port: 443)
            for isTLS in [false, true] {
                let header = ProxyHeader.encode(client: client, server: server, isTLS: isTLS)
                let answer = try await exchange(path, [header, request("GET", "/peer")])
                #expect(answer.contains("203.0.113.9") && answer.hasSuffix(#""4711"]"#))
                let tls = try await exchange(path, [header, request("GET", "/tls")])
                #expect(tls.hasSuffix(#"{"isTLS":\#(isTLS)}"#))
            }
        }
    }

    @Test func withoutAHeaderNothingIsAnswered() async throws {
        try await withService { path in
            for first in [request("GET", "/peer"), Array("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n".utf8)] {
                let answer = try await exchange(path, [first])
                #expect(answer == "")
            }
            // And the service continues.
            let answer = try await exchange(path, [ProxyHeaders.v4, request("GET", "/peer")])
            #expect(answer.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func longHeadIsRefused() async throws {
        try await withService { path in
            let fields = (0..<80).map { "x-\($0): \(String(repeating: "a", count: 300))\r\n" }.joined()
            let head = Array("GET /peer HTTP/1.1\r\nhost: hub\r\n\(fields)\r\n".utf8)
            let answer = try await exchange(path, [ProxyHeaders.v4, head])
            #expect(answer.hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test func bodyIsAcceptedUpToLimit() async throws {
        try await withService { path in
            let body = String(repeating: "b", count: ServerAPI.bodyBytesMax)
            let answer = try await exchange(path, [ProxyHeaders.v4, request("POST", "/echo", body)])
            #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.hasSuffix(body))
            let refusal = try await exchange(path, [ProxyHeaders.v4, request("POST", "/echo", body + "b")])
            #expect(refusal.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test func aMalformedRequestIsRefused() async throws {
        try await withService { path in
            let answer = try await exchange(path, [ProxyHeaders.v4, Array("GET  HTTP/1.1 / x\r\n\r\n".utf8)])
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test func aSilentConnectionIsClosed() async throws {
        try await withService(idleTimeoutMs: 50) { path in
            for pieces in [[], [Array(ProxyHeaders.v4[..<5])], [ProxyHeaders.v4, Array("GET /pe".utf8)]] {
                do {
                    let answer = try await exchange(path, pieces)
                    #expect(answer == "")
                } catch ChannelError.ioOnClosedChannel {
                    // Closed before all was written is fine: the test is that it closes.
                } catch let error as IOError where error.errnoCode == ECONNRESET {
                    // Closed before all was read, which a Unix socket reports as a reset.
                }
            }
        }
    }

    @Test func unusableSocketFailsStart() async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let routes = Routes(cors: CORS(policy: .sameOrigin, isTLS: false), logger: quiet)
        let socket = try PrivateSocket()
        socket.remove()
        let http = HTTPService(
            routes: routes, socket: socket,
            configuration: .init(idleTimeout: 1_000, connectionsMax: 10), fileBytesMax: nil, logger: quiet)
        await #expect(throws: (any Error).self) { try await http.run() }
        let isRunning = await http.waitUntilRunning()
        #expect(!isRunning)
    }
}
