internal import GoHubCore

/// A message between loops, or from another thread to a loop.
enum LoopMessage: Sendable {
    /// A new connection for this loop.
    case accepted(Int32, SocketAddress)
    /// A notice for a plain HTTP connection.
    case slot(HTTPSlots.Notice)
    /// An input for this loop's shard.
    case input(HubInput)
    /// Another node's message for this loop's shard.
    case busFrame(ClusterFrame)
    /// A message for a session at this loop's edge.
    case send(SessionID, HubMessage)
    case deliver(EncodedEvent, RoomID)
    case answer(UInt64, Event)
    /// The answer to a request of a session, or to the verification of a handshake's token.
    indirect case answered(serial: UInt64, SessionAnswer)
    /// The message store's answer.
    case storeAnswered(StoreAnswer)
    /// A server operation for the loop to run, with an alternative for an ended loop.
    case run(@Sendable (HubLoop) -> Void, otherwise: @Sendable () -> Void)
}
