internal import GoHubCore

/// A message between loops, or from another thread to a loop.
enum LoopMessage: Sendable {
    /// A new connection for this loop.
    case accepted(Int32, SocketAddress)
    /// A notice for a plain HTTP connection.
    case slot(HTTPSlots.Notice)
    /// An input for this loop's shard.
    case input(HubInput)
    /// A message for a session at this loop's edge.
    case send(SessionID, HubMessage)
    case deliver(EncodedEvent, RoomID)
    case answer(UInt64, Event)
    /// The result of verifying a token of a handshake or a session.
    case verified(serial: UInt64, Result<Credentials, TokenError>)
    /// The file store's answer to a session's transfer.
    case transferred(serial: UInt64, UInt32, TransferAnswer)
    /// The message store's answer.
    case storeAnswered(StoreAnswer)
    /// A server operation for the loop to run, with an alternative for an ended loop.
    case run(@Sendable (HubLoop) -> Void, otherwise: @Sendable () -> Void)
}
