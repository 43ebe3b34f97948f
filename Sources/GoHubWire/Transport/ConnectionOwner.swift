internal import GoHubCore

/// What a connection's loop does for it: the hub's shell in a server, an echo in a conformance test.
protocol ConnectionOwner: AnyObject {
    var loop: EventLoop { get }
    var settings: ConnectionSettings { get }
    /// Shared by the loop's connections that negotiated compression.
    var inflater: Inflater? { get }
    var deflater: Deflater? { get }

    /// The WebSocket is open.
    func opened(_ connection: Connection, credentials: Credentials?)
    func received(_ connection: Connection, text: UnsafeRawBufferPointer)
    func received(_ connection: Connection, binary: UnsafeRawBufferPointer)
    /// The peer gave a sign of life: it took bytes that were waiting.
    func heard(_ connection: Connection)
    /// A ping or a pong came.
    func receivedControl(_ connection: Connection)
    /// The connection's queue rose above its watermark, or fell below half of it.
    func backlogChanged(_ connection: Connection, isBacklogged: Bool)
    /// The conversation is over, by the peer or by an error; nothing more is received or to be sent.
    func ended(_ connection: Connection)
    /// The descriptor is closed; the connection is to be forgotten.
    func closed(_ connection: Connection)
    /// Something waits to be sent; `flush` is to be called at the end of the turn.
    func needsFlush(_ connection: Connection)
    /// Have a token that came with the handshake verified, and pass the result to `authorized`.
    func verify(_ token: String, for connection: Connection)
    /// Call `timerFired` at that time or soon after.
    func schedule(_ connection: Connection, at deadline: MonotonicTime)
    /// Takes a place for the address in the table of connections.
    func admit(_ connection: Connection, address: String) -> Bool
    /// Takes a place for one more tunnel of the connection's address.
    func admitTunnel(_ connection: Connection) -> Bool
    /// What is worth a line in the log, at debug level.
    func note(_ connection: Connection, _ message: @autoclosure () -> String)
}

extension ConnectionOwner {
    func receivedControl(_ connection: Connection) { heard(connection) }
    func admitTunnel(_ connection: Connection) -> Bool { true }
}

/// What all connections of a server share: fixed when it starts.
struct ConnectionSettings: Sendable {
    var configuration: ServerConfiguration
    var requiresToken: Bool
    var queueBytesMax: Int
    var queueWatermarkBytes: Int
    var reader: WebSocketReader.Limits
    var head = RequestHeadParser.Limits()
    var deflate = DeflateConfiguration()

    init(_ configuration: ServerConfiguration, limits: Limits, requiresToken: Bool) {
        self.configuration = configuration
        self.requiresToken = requiresToken
        queueBytesMax = limits.queueBytesMax
        queueWatermarkBytes = limits.queueWatermarkBytes
        reader = WebSocketReader.Limits(messageBytesMax: limits.messageBytesMax)
    }
}
