/// What a session asks of its shell. The shell performs actions in their order.
public enum SessionAction: Equatable, Sendable {
    case send(Event)
    /// To the shard that owns what the input speaks of.
    case hub(HubInput)
    /// Have the token verified, without blocking, and pass the result to `SessionStateMachine.verified`.
    case verify(token: String)
    /// From here on events of the room are for this session.
    case enter(RoomID)
    /// From here on they aren't.
    case exit(RoomID)
    /// To the file store, for the transfer of this number; the answer comes back through `SessionStateMachine.answered`.
    case transfer(UInt32, TransferRequest)
    /// To the file store: nobody goes on with this lease.
    case release(UploadLease)
    case pauseReading
    case resumeReading
    /// Close the transport with this code; the session is over.
    case close(CloseCode)
}
