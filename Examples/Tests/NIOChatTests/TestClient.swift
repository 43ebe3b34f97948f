import GoHubCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

@testable import NIOChat

/// Runs a test against a server on a free loopback port, and ends it.
///
/// - Parameter closeTimeout: on a busy machine a client may need long to read its events.
func withServer(
    _ hub: Hub? = nil, closeTimeout: TimeAmount = .minutes(1), _ test: (Int) async throws -> Void
) async throws {
    let hub = hub ?? Hub(context: SessionContext(authentication: .development))
    let server = ChatServer(hub: hub, closeTimeout: closeTimeout)
    let listener = try await server.listen(host: "127.0.0.1", port: 0)
    let port = listener.channel.localAddress?.port ?? 0
    try await withThrowingTaskGroup { group in
        group.addTask { try await server.serve(listener) }
        try await test(port)
        group.cancelAll()
    }
}

/// Runs a test with a connected client, and disconnects it.
func withClient(
    _ port: Int, fields: HTTPHeaders = [:], _ test: (TestClient) async throws -> Void
) async throws {
    let upgraded = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .channelOption(.socketOption(.so_rcvbuf), value: 16 * 1024)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture { try TestClient.upgrade(channel, port: port, fields: fields) }
        }
    let (socket, head) = try await upgraded.get()
    try await socket.executeThenClose { inbound, outbound in
        try await test(TestClient(response: head, frames: inbound.makeAsyncIterator(), outbound: outbound))
    }
}

/// A WebSocket client with just the features of the protocol that the tests need.
final class TestClient {
    struct Failure: Error {
        let description: String
    }

    let response: HTTPResponseHead
    private var frames: NIOAsyncChannelInboundStream<WebSocketFrame>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    init(
        response: HTTPResponseHead, frames: NIOAsyncChannelInboundStream<WebSocketFrame>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) {
        self.response = response
        self.frames = frames
        self.outbound = outbound
    }

    static func upgrade(
        _ channel: any Channel, port: Int, fields: HTTPHeaders
    ) throws -> EventLoopFuture<(WebSocketChannel, HTTPResponseHead)> {
        let upgrader = NIOTypedWebSocketClientUpgrader<(WebSocketChannel, HTTPResponseHead)> { channel, head in
            channel.eventLoop.makeCompletedFuture {
                (try WebSocketChannel(wrappingChannelSynchronously: channel), head)
            }
        }
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/v1/ws")
        head.headers = ["Host": "127.0.0.1:\(port)", "Content-Length": "0"]
        head.headers.add(contentsOf: fields)
        let configuration = NIOTypedHTTPClientUpgradeConfiguration(
            upgradeRequestHead: head, upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.close(promise: nil)
                return channel.eventLoop.makeFailedFuture(Failure(description: "the server refused the handshake"))
            })
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration))
    }

    /// Says hello and joins.
    func join(_ room: String, as user: String) async throws {
        try await send(#"{"op":"hello","user":"\#(user)","device":"d1"}"#)
        _ = try await expect("welcome")
        try await send(#"{"op":"join","id":"j","room":"\#(room)"}"#)
        _ = try await expect("joined")
    }

    func send(_ text: String) async throws {
        try await send(.text, ByteBuffer(string: text))
    }

    func send(_ opcode: WebSocketOpcode, isFinal: Bool = true, _ payload: ByteBuffer) async throws {
        try await outbound.write(WebSocketFrame(fin: isFinal, opcode: opcode, maskKey: .random(), data: payload))
    }

    /// The next event with one of these `op`s. Skips others, and fails at the end of the connection.
    func expect(_ ops: String...) async throws -> String {
        while let frame = try await frames.next(isolation: #isolation) {
            let text = String(buffer: frame.data)
            if frame.opcode == .text, ops.contains(where: { text.hasPrefix(#"{"op":"\#($0)""#) }) { return text }
            if frame.opcode == .connectionClose { break }
        }
        throw Failure(description: "the connection ended without \(ops.joined(separator: " or "))")
    }

    /// The payload of the next frame of this kind. Skips others, and fails at the end of the connection.
    func expect(_ opcode: WebSocketOpcode) async throws -> ByteBuffer {
        while let frame = try await frames.next(isolation: #isolation) {
            if frame.opcode == opcode { return frame.data }
        }
        throw Failure(description: "the connection ended without a frame \(opcode)")
    }

    /// The code of the close frame. Checks that nothing follows it.
    func expectClose() async throws -> UInt16? {
        let code = try await expect(.connectionClose).getInteger(at: 0, as: UInt16.self)
        try await send(.connectionClose, ByteBuffer())
        try await expectEnd()
        return code
    }

    /// Reads until the server has closed the connection, cleanly or not.
    func expectEnd() async throws {
        do {
            while try await frames.next(isolation: #isolation) != nil {}
        } catch is IOError {}
    }
}
