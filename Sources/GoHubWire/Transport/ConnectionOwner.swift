internal import GoHubCore

/// Receives the events of connections: the hub's shell in a server, an echo in a conformance test.
protocol ConnectionOwner: AnyObject {
    /// The WebSocket is open.
    func opened(_ connection: Connection, credentials: Credentials?)
    func received(_ connection: Connection, text: UnsafeRawBufferPointer)
    func received(_ connection: Connection, binary: UnsafeRawBufferPointer)
    /// The peer has taken queued bytes, which is a sign of life.
    func noteActivity(_ connection: Connection)
    /// A ping or a pong arrived.
    func receivedControl(_ connection: Connection)
    /// The client's queue has overflowed; it must be dropped with 4001.
    func overflowed(_ connection: Connection)
    /// The connection's queue rose above its watermark, or fell below half of it.
    func backlogChanged(_ connection: Connection, isBacklogged: Bool)
    /// The conversation has ended, by the peer or by an error; nothing more is received or sent.
    func ended(_ connection: Connection)
    /// The descriptor is closed; remove the connection.
    func closed(_ connection: Connection)
}

extension ConnectionOwner {
    func receivedControl(_ connection: Connection) { noteActivity(connection) }

    func overflowed(_ connection: Connection) {
        connection.close(.slowConsumer)
        ended(connection)
    }
}
