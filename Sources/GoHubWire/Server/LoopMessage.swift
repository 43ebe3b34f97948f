internal import GoHubCore

/// A message between loops, or from another thread to a loop.
enum LoopMessage: Sendable {
    /// A new connection for this loop.
    case accepted(Int32, SocketAddress)
    /// For a plain HTTP connection.
    case slot(HTTPSlots.Notice)
    /// For this loop's shard.
    case input(HubInput)
    /// For sessions at this loop's edge.
    case send(SessionID, HubMessage)
    case deliver(EncodedEvent, RoomID)
    case answer(UInt64, Event)
    /// A token was verified, of a handshake or a session.
    case verified(serial: UInt64, Result<Credentials, TokenError>)
    /// The file store's answer for a session's transfer.
    case transferred(serial: UInt64, UInt32, TransferAnswer)
    /// The message store has answered.
    case storeAnswered(StoreAnswer)
    /// An operation of the server on the loop, or the alternative when the loop has ended.
    case run(@Sendable (HubLoop) -> Void, otherwise: @Sendable () -> Void)
}
