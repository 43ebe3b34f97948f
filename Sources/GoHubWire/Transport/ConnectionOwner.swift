internal import GoHubCore

/// Hears what becomes of connections: the hub's shell in a server, an echo in a conformance test.
protocol ConnectionOwner: AnyObject {
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
}

extension ConnectionOwner {
    func receivedControl(_ connection: Connection) { heard(connection) }

    func overflowed(_ connection: Connection) {
        connection.close(.slowConsumer)
        ended(connection)
    }
}
