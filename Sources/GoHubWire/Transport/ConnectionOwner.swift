internal import GoHubCore

/// Receives the events of connections: the hub's shell in a server, an echo in a conformance test.
protocol ConnectionOwner: AnyObject {
    /// The WebSocket opens.
    ///
    /// - Returns: the owner's object for the conversation, for the connection to keep until the conversation ends.
    func opened(_ connection: Connection, credentials: Credentials?) -> ConnectionCompanion
    func received(_ connection: Connection, _ companion: ConnectionCompanion, text: UnsafeRawBufferPointer)
    func received(_ connection: Connection, _ companion: ConnectionCompanion, binary: UnsafeRawBufferPointer)
    /// The peer has taken queued bytes, which is a sign of life.
    func noteActivity(_ companion: ConnectionCompanion)
    /// A ping or a pong arrived.
    func receivedControl(_ companion: ConnectionCompanion)
    /// The client's queue has overflowed; it must be dropped with 4001.
    func overflowed(_ connection: Connection)
    /// The connection's queue rose above its watermark, or fell below half of it.
    func backlogChanged(_ companion: ConnectionCompanion, isBacklogged: Bool)
    /// The conversation has ended, by the peer or by an error; nothing more is received or sent, and the connection no
    /// longer keeps the companion.
    func ended(_ companion: ConnectionCompanion)
    /// The descriptor is closed; remove the connection.
    func closed(_ connection: Connection)
}

extension ConnectionOwner {
    func receivedControl(_ companion: ConnectionCompanion) { noteActivity(companion) }

    func overflowed(_ connection: Connection) { connection.close(.slowConsumer) }
}
