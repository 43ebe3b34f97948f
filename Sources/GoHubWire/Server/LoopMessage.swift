internal import GoHubCore

/// What crosses between loops, and from other threads to a loop.
enum LoopMessage: Sendable {
    /// A new connection for this loop.
    case accepted(Int32, SocketAddress)
    /// For a connection of plain HTTP.
    case place(HTTPPlaces.Notice)
    /// For this loop's shard.
    case input(HubInput)
    /// For sessions at this loop's edge.
    case tell(SessionID, HubMessage)
    case deliver(EncodedEvent, RoomID)
    case answer(UInt64, Event)
    /// A token was verified: the handshake's, or a session's.
    case verified(serial: UInt64, Result<Credentials, TokenError>)
    /// The file store has answered for a session's transfer.
    case transferred(serial: UInt64, UInt32, TransferAnswer)
    /// The message store has answered.
    case storeAnswered(StoreAnswer)
    /// Something of the server's own, or what to do instead when the loop has ended.
    case run(@Sendable (HubLoop) -> Void, otherwise: @Sendable () -> Void)
}
