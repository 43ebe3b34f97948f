internal import GoHubHTTPSyntax
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// Hummingbird's HTTP/1.1 over a connection tunnelled by Wire: with the PROXY header before it, and bounds around it.
struct TunnelChannel: ServerChildChannel {
    struct Connection: ServerChildChannelValue {
        let http: HTTP1Channel.Value
        let client: EventLoopFuture<ProxiedClient>

        var channel: any Channel { http.channel }
    }

    private let http: HTTP1Channel
    private let fileBytesMax: UInt64?

    /// - Parameter fileBytesMax: the maximum size of an uploaded file; `nil` if files are off.
    init(idleTimeout: TimeAmount, fileBytesMax: UInt64?, responder: @escaping HTTPChannelHandler.Responder) {
        self.fileBytesMax = fileBytesMax
        http = HTTP1Channel(
            responder: responder,
            configuration: .init(
                idleTimeout: idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: RequestBounds.headBytesMax, maxHeaderListSize: RequestBounds.headBytesMax,
                    maxHeaderFieldCount: 100)))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection> {
        let client = channel.eventLoop.makePromise(of: ProxiedClient.self)
        // Hummingbird builds its own pipeline in a future that is already complete when it is returned.
        return channel.eventLoop.makeCompletedFuture {
            let bounds = RequestBounds.makeHandlers(fileBytesMax: fileBytesMax)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(ProxyProtocolDecoder(client: client))
            try pipeline.addHandler(bounds.beforeDecoder)
            let connection = http.setup(channel: channel, logger: logger)
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(bounds.afterDecoder, position: .after(decoder))
            return connection
        }
        .flatMap { $0 }
        .map { Connection(http: $0, client: client.futureResult) }
    }

    func handle(value connection: Connection, logger: Logger) async {
        do {
            let client = try await connection.client.get()
            await ProxiedClient.$current.withValue(client) {
                await http.handle(value: connection.http, logger: logger)
            }
        } catch {
            logger.debug("tunnelled connection without a PROXY header", metadata: ["reason": "\(error)"])
            // Already closed; this releases NIO's state for it.
            try? await connection.http.executeThenClose { _, _ in }
        }
    }
}
