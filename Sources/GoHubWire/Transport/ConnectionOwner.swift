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
    /// Too much waits for the client, who is to be dropped with 4001.
    func overflowed(_ connection: Connection)
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
    /// Takes a place at the HTTP server for a request of the connection (`HTTPPlaces`).
    func takePlace(_ connection: Connection) -> HTTPPlaces.Answer
    /// The HTTP server has begun to answer the request, or has taken long.
    func settlePlace(_ connection: Connection)
    /// Gives the place back, and lets the connection's tunnel rest.
    ///
    /// - Returns: the turn that a notice about that is to name.
    func restPlace(_ connection: Connection) -> UInt64
    /// Gives back the connection's place, if it has or awaits one.
    func leavePlace(_ connection: Connection)
    /// What is worth a line in the log, at debug level.
    func note(_ connection: Connection, _ message: @autoclosure () -> String)
}

extension ConnectionOwner {
    func receivedControl(_ connection: Connection) { heard(connection) }

    func overflowed(_ connection: Connection) {
        connection.close(.slowConsumer)
        ended(connection)
    }

    func takePlace(_ connection: Connection) -> HTTPPlaces.Answer { .granted(keepsTunnel: true) }
    func settlePlace(_ connection: Connection) {}
    func restPlace(_ connection: Connection) -> UInt64 { 0 }
    func leavePlace(_ connection: Connection) {}
}

/// What all connections of a server share: fixed when it starts. An object, since every message asks it for a bound.
final class ConnectionSettings: Sendable {
    let configuration: ServerConfiguration
    let requiresToken: Bool
    let queueBytesMax: Int
    let queueWatermarkBytes: Int
    let reader: WebSocketReader.Limits
    let head = RequestHeadParser.Limits()
    let deflate: DeflateConfiguration

    init(
        _ configuration: ServerConfiguration, limits: Limits, requiresToken: Bool,
        framesPerMessageMax: Int = WebSocketReader.Limits().framesPerMessageMax,
        deflate: DeflateConfiguration = DeflateConfiguration()
    ) {
        self.configuration = configuration
        self.requiresToken = requiresToken
        queueBytesMax = limits.queueBytesMax
        queueWatermarkBytes = limits.queueWatermarkBytes
        reader = WebSocketReader.Limits(
            messageBytesMax: limits.messageBytesMax, framesPerMessageMax: framesPerMessageMax)
        self.deflate = deflate
    }
}
