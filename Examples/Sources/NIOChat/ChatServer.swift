import GoHubCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

/// A hub on SwiftNIO's sockets: `GoHubCore` embedded in a server with its own network stack.
///
/// NIO does TCP, HTTP and WebSocket frames. The hub does all chat functions. They meet in `converse`: one task reads
/// the socket and passes text messages to the hub, another one takes the hub's events and writes them.
struct ChatServer: Sendable {
    /// An accepted connection, and the result of its handshake: `nil` if it is not a WebSocket.
    typealias Listener = NIOAsyncChannel<EventLoopFuture<WebSocketChannel?>, Never>

    let hub: Hub
    /// The time to write the queued events and the close frame, and to receive the client's close frame.
    var closeTimeout = TimeAmount.seconds(2)

    /// - Parameter port: with 0 the system chooses one, which is in `listener.channel.localAddress`.
    func listen(host: String, port: Int) async throws -> Listener {
        try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Handshake(limits: hub.context.limits).begin(on: channel) }
            }
    }

    /// Serves until the task is cancelled.
    func serve(_ listener: Listener) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            // The hub has no thread and no timer of its own: its ticks drive heartbeats, expiry and presence.
            group.addTask { await hub.run() }
            try await listener.executeThenClose { connections in
                for try await handshake in connections {
                    group.addTask { await serve(handshake) }
                }
            }
            group.cancelAll()
        }
    }

    /// One connection from its handshake to its end. Its errors affect no other connection.
    private func serve(_ handshake: EventLoopFuture<WebSocketChannel?>) async {
        guard let socket = try? await handshake.get() else { return }
        try? await socket.executeThenClose { inbound, outbound in
            await converse(socket.channel, inbound, outbound)
        }
    }

    private func converse(
        _ channel: any Channel, _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async {
        let (writability, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let outbox = Outbox(limits: hub.context.limits) { wake.yield() }
        let pump = SocketPump(channel: channel, outbox: outbox, closeTimeout: closeTimeout)
        let connection = hub.attach(pump, address: channel.remoteAddress?.ipAddress ?? "unknown")
        await withDiscardingTaskGroup { group in
            group.addTask {
                try? await write(pump.outbox, to: outbound)
                // No more events can reach the client. This also ends a wait in `receive`.
                connection.closed()
            }
            group.addTask { for await _ in writability { connection.becameWritable() } }
            let end = { (code: CloseCode) in
                connection.closed()
                pump.close(code)
            }
            try? await read(inbound, outbound, connection, refuse: end)
            end(.normal)
            wake.finish()
        }
    }

    /// The read pump, until the client has closed or is gone. `receive` returns when the client may be read again, so a
    /// client that sends faster than it is served fills only its own socket.
    private func read(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>, _ connection: Hub.Connection,
        refuse: (CloseCode) -> Void
    ) async throws {
        var isRefused = false
        for try await frame in inbound where !isRefused || frame.opcode == .connectionClose {
            let payload = frame.unmaskedData
            switch frame.opcode {
            case .text:
                if let text = String(validating: payload.readableBytesView, as: UTF8.self) {
                    await connection.receive(text)
                } else {
                    isRefused = true
                    refuse(.invalidPayload)
                }
            case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: payload))
            case .pong: continue
            case .connectionClose: return
            default:
                isRefused = true
                refuse(.unsupportedData)
            }
        }
    }

    /// The write pump: writes all events of the hub in their order. The last one is the close frame.
    private func write(_ outbox: Outbox, to outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws {
        while let item = await outbox.next() {
            switch item {
            case .event(let event):
                let payload = ByteBuffer(bytes: event.bytes)
                try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: payload))
            case .closed(let code):
                guard code.isValidOnTheWire else { return }
                var payload = ByteBuffer()
                payload.write(webSocketErrorCode: WebSocketErrorCode(codeNumber: Int(code.rawValue)))
                payload.writeString(code.reason)
                try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: payload))
            }
        }
    }
}

/// The destination of the hub's events: an outbox that a task empties. Closing it ends every wait for the client.
final class SocketPump: WritePump, Sendable {
    let outbox: Outbox
    private let channel: any Channel
    private let closeTimeout: TimeAmount

    init(channel: any Channel, outbox: Outbox, closeTimeout: TimeAmount) {
        self.channel = channel
        self.outbox = outbox
        self.closeTimeout = closeTimeout
    }

    func offer(_ event: EncodedEvent) -> OfferResult { outbox.offer(event) }

    func close(_ code: CloseCode) {
        outbox.close(code)
        channel.eventLoop.scheduleTask(in: closeTimeout) { [channel] in channel.close(promise: nil) }
    }
}
