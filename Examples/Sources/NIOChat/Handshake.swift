import GoHubCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The HTTP/1.1 request that becomes a WebSocket (RFC 6455, section 4.2), and the answer to any other.
struct Handshake: Sendable {
    /// From accepting the connection to the end of its request head.
    private static let timeout = TimeAmount.seconds(10)
    private static let subprotocol = "gohub.v1"
    private static let fragmentsMax = 64

    let limits: Limits

    /// Must be called on the channel's event loop.
    func begin(on channel: any Channel) throws -> EventLoopFuture<WebSocketChannel?> {
        let upgrader = NIOTypedWebSocketServerUpgrader<WebSocketChannel?>(
            maxFrameSize: limits.messageBytesMax,
            shouldUpgrade: { channel, head in channel.eventLoop.makeSucceededFuture(Self.answer(head)) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture { try makeWebSocket(channel) }
            })
        let configuration = NIOTypedHTTPServerUpgradeConfiguration<WebSocketChannel?>(
            upgraders: [upgrader], notUpgradingCompletionHandler: Self.refuse)
        let result = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: NIOUpgradableHTTPServerPipelineConfiguration(upgradeConfiguration: configuration))
        let patience = channel.eventLoop.scheduleTask(in: Self.timeout) { channel.close(promise: nil) }
        result.whenComplete { _ in patience.cancel() }
        return result
    }

    /// The header fields of the response that accepts the handshake, or `nil` to refuse it.
    private static func answer(_ head: HTTPRequestHead) -> HTTPHeaders? {
        guard head.uri == "/v1/ws" else { return nil }
        // Any page in the user's browser can reach this port, and only the browser reports which page it is.
        let ownOrigin = head.headers.first(name: "Host").map { "http://\($0)" }
        if let origin = head.headers.first(name: "Origin"), origin != ownOrigin { return nil }
        let offered = head.headers[canonicalForm: "Sec-WebSocket-Protocol"]
        if offered.isEmpty { return [:] }
        return offered.contains(Self.subprotocol[...]) ? ["Sec-WebSocket-Protocol": Self.subprotocol] : nil
    }

    private func makeWebSocket(_ channel: any Channel) throws -> WebSocketChannel {
        try channel.pipeline.syncOperations.addHandler(
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: Self.fragmentsMax,
                maxAccumulatedFrameSize: limits.messageBytesMax))
        return try WebSocketChannel(wrappingChannelSynchronously: channel)
    }

    @Sendable private static func refuse(_ channel: any Channel) -> EventLoopFuture<WebSocketChannel?> {
        let fields: HTTPHeaders = ["Connection": "close", "Content-Length": "0", "Upgrade": "websocket"]
        let head = HTTPResponseHead(version: .http1_1, status: .upgradeRequired, headers: fields)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        return channel.writeAndFlush(HTTPServerResponsePart.end(nil)).flatMap { channel.close() }.map { nil }
    }
}
